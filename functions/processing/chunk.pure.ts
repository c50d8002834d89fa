import type { RowResult } from './processor.ts';

/** Longer than an invocation takes; a lease that runs out is taken over. */
export const leaseSeconds = 60;

/** A result as it is stored: an error also says in which attempt, so that a retry knows what to work. */
export type StoredResult =
  | { status: 'ok'; cells: string[] }
  | { status: 'error'; error: string; attempt?: number };

export type StoredResults = (StoredResult | null)[];

/** A row of a chunk that is to be worked; `at` is its place in the chunk. */
export type Lead = { at: number; row: string[] };

/** Whether a row has its result in this attempt; what failed in an earlier one is worked again. */
export const isFinal = (result: StoredResult | null | undefined, attempt: number): boolean =>
  result != null && (result.status === 'ok' || result.attempt === attempt);

/** The rows of a chunk that are still to be worked. */
export const pendingRowsOf = (
  rows: readonly string[][],
  results: StoredResults | null,
  attempt: number,
): Lead[] => rows.flatMap((row, at) => (isFinal(results?.[at], attempt) ? [] : [{ at, row }]));

/** The chunk's results with what was added in this attempt. Errors of an earlier one stay until then. */
export const mergeResults = (
  count: number,
  before: StoredResults | null,
  added: ReadonlyMap<number, RowResult>,
  attempt: number,
): StoredResults =>
  Array.from({ length: count }, (_, at) => {
    const result = added.get(at);
    if (result === undefined) return before?.[at] ?? null;
    return result.status === 'ok' ? result : { ...result, attempt };
  });

/** What a commit counts of a chunk's results. */
export function countResults(results: StoredResults, attempt: number) {
  const final = results.filter((result) => isFinal(result, attempt));
  const succeeded = final.filter((result) => result?.status === 'ok').length;
  return {
    succeeded,
    failed: final.length - succeeded,
    left: results.length - final.length,
  };
}
