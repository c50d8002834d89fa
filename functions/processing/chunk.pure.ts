import type { RowResult } from './processor.ts';

/** Longer than an invocation takes; a lease that runs out is taken over. */
export const leaseSeconds = 60;

/** A result as it is stored: an error also says in which run, so that a retry knows what to work. */
export type StoredResult =
  | { status: 'ok'; cells: string[] }
  | { status: 'error'; error: string; run?: number };

export type StoredResults = (StoredResult | null)[];

/** A row of a chunk that is to be worked; `at` is its place in the chunk. */
export type Lead = { at: number; row: string[] };

/** Whether a row has its result in this run; what failed in an earlier one is worked again. */
export const isFinal = (result: StoredResult | null | undefined, run: number): boolean =>
  result != null && (result.status === 'ok' || result.run === run);

/** The rows of a chunk that are still to be worked. */
export const pendingRowsOf = (
  rows: readonly string[][],
  results: StoredResults | null,
  run: number,
): Lead[] => rows.flatMap((row, at) => (isFinal(results?.[at], run) ? [] : [{ at, row }]));

/** The chunk's results with what was added in this run. Errors of an earlier one stay until then. */
export const mergeResults = (
  count: number,
  before: StoredResults | null,
  added: ReadonlyMap<number, RowResult>,
  run: number,
): StoredResults =>
  Array.from({ length: count }, (_, at) => {
    const result = added.get(at);
    if (result === undefined) return before?.[at] ?? null;
    return result.status === 'ok' ? result : { ...result, run };
  });

/** What a commit counts of a chunk's results. */
export function countResults(results: StoredResults, run: number) {
  const final = results.filter((result) => isFinal(result, run));
  const succeeded = final.filter((result) => result?.status === 'ok').length;
  return {
    succeeded,
    failed: final.length - succeeded,
    left: results.length - final.length,
  };
}
