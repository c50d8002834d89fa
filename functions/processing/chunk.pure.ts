import type { RowResult } from './processor.ts';

/** Longer than an invocation goes without a commit; a lease that runs out is taken over. */
export const leaseSeconds = 60;

/** What was paid for of a row that is not finished: what was searched for, and the summary. */
export type BegunRow = { status: 'begun'; searches: [query: string, summary: string][] };

/** A row that is not worked in any run, as the upload has found; `note` says why. */
export type SkippedRow = { status: 'skipped'; note: string };

/** A result as it is stored: an error also says in which run, so that a retry knows what to work. */
export type StoredResult =
  | SkippedRow
  | { status: 'ok'; cells: string[] }
  | { status: 'error'; error: string; run?: number }
  | BegunRow;

export type StoredResults = (StoredResult | null)[];

export const skippedRow = (note: string): SkippedRow => ({ status: 'skipped', note });

/** A row of a chunk that is to be worked; `rowIndex` is its place in the chunk. */
export type PendingRow = {
  rowIndex: number;
  row: string[];
  /** Summaries that were paid for already, by what was searched for. */
  searches: ReadonlyMap<string, string>;
};

/** Whether a row has its result in this run; what failed in an earlier one is worked again. */
export const isFinal = (result: StoredResult | null | undefined, run: number): boolean =>
  result != null &&
  (result.status === 'ok' ||
    result.status === 'skipped' ||
    (result.status === 'error' && result.run === run));

/** The rows of a chunk that are still to be worked. */
export const pendingRowsOf = (
  rows: readonly string[][],
  results: StoredResults | null,
  run: number,
): PendingRow[] =>
  rows.flatMap((row, rowIndex) => {
    const result = results?.[rowIndex];
    if (isFinal(result, run)) return [];
    const searches = new Map(result?.status === 'begun' ? result.searches : []);
    return [{ rowIndex, row, searches }];
  });

/** The chunk's results with what was added in this run. Errors of an earlier one stay until then. */
export const mergeResults = (
  count: number,
  before: StoredResults | null,
  added: ReadonlyMap<number, RowResult | BegunRow>,
  run: number,
): StoredResults =>
  Array.from({ length: count }, (_, rowIndex) => {
    const result = added.get(rowIndex);
    if (result === undefined) return before?.[rowIndex] ?? null;
    return result.status === 'error' ? { ...result, run } : result;
  });

/** What a commit counts of a chunk's results. */
export function countResults(results: StoredResults, run: number) {
  const final = results.filter((result) => isFinal(result, run));
  const count = (status: StoredResult['status']): number =>
    final.filter((result) => result?.status === status).length;
  return {
    succeeded: count('ok'),
    failed: count('error'),
    skipped: count('skipped'),
    left: results.length - final.length,
  };
}
