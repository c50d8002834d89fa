import type { Findings } from '../providers/research.ts';
import type { RowResult } from './processor.ts';

/** Longer than an invocation goes without a commit; a lease that runs out is taken over. */
export const leaseSeconds = 60;

/** A row that was worked; `version`: of the settings by which. */
export type OkRow = { status: 'ok'; cells: string[]; note?: string; version?: number };

/** A row that failed; `run`: the generation in which, so that a retry knows what to work. */
export type FailedRow = { status: 'error'; error: string; run?: number };

/** What was paid for of a row that is not finished; `before`: what it had, which stands until then. */
export type BegunRow = {
  status: 'begun';
  /** An older version has stored the summary alone. */
  searches: [query: string, found: Findings | string][];
  before?: OkRow | FailedRow;
};

const foundOf = (found: Findings | string): Findings =>
  typeof found === 'string' ? { summary: found, sources: [] } : found;

/** A row that is not worked in any run, as the upload has found; `note` says why. */
export type SkippedRow = { status: 'skipped'; note: string };

/** A result as it is stored. */
export type StoredResult = SkippedRow | OkRow | FailedRow | BegunRow;

export type StoredResults = (StoredResult | null)[];

/** `[position in the chunk, number of the row that it is the same as]`; rows are numbered from 1. */
export type Duplicates = readonly (readonly [position: number, rowNumber: number])[];

/** What is known of a chunk's rows. */
export type ChunkRows = {
  rows: readonly string[][];
  results: StoredResults | null;
  /** Rows that a run of chosen rows has left to work; null: all that are not final. */
  todo: readonly number[] | null;
  /** Rows that are skipped unless they were worked; null: none. */
  duplicates: Duplicates | null;
};

export const skippedRow = (note: string): SkippedRow => ({ status: 'skipped', note });

/** A row of a chunk that is to be worked; `rowIndex` is its place in the chunk. */
export type PendingRow = {
  rowIndex: number;
  row: string[];
  /** What was found and paid for already, by what was searched for. */
  searches: ReadonlyMap<string, Findings>;
};

/** What a row has until it is worked again. */
const standing = (result: StoredResult | null | undefined) =>
  result?.status === 'begun' ? result.before : (result ?? undefined);

/** What a reader sees of a row, undefined: it is still to be worked. `duplicateOf`: it is skipped for that. */
export const shownResult = (
  result: StoredResult | null | undefined,
  duplicateOf?: number,
): SkippedRow | OkRow | FailedRow | undefined =>
  result == null && duplicateOf !== undefined
    ? skippedRow(`same as row ${duplicateOf}`)
    : standing(result);

/** Whether a row has its result in this generation; what failed in an earlier one is worked again. */
export const isFinal = (result: StoredResult | null | undefined, generation: number): boolean => {
  const shown = standing(result);
  if (shown?.status === 'ok' || shown?.status === 'skipped') return true;
  return result?.status === 'error' && result.run === generation;
};

/** Whether a row of a chunk is still to be worked. */
function isOpen(chunk: Omit<ChunkRows, 'rows'>, generation: number): (rowIndex: number) => boolean {
  const { results, todo, duplicates } = chunk;
  if (todo) {
    const left = new Set(todo);
    return (rowIndex) => left.has(rowIndex);
  }
  const same = new Set(duplicates?.map(([position]) => position));
  return (rowIndex) => {
    const result = results?.[rowIndex];
    return !isFinal(result, generation) && !(result == null && same.has(rowIndex));
  };
}

/** The rows of a chunk that are still to be worked. */
export function pendingRowsOf(chunk: ChunkRows, generation: number): PendingRow[] {
  const open = isOpen(chunk, generation);
  return chunk.rows.flatMap((row, rowIndex) => {
    if (!open(rowIndex)) return [];
    const result = chunk.results?.[rowIndex];
    const begun = result?.status === 'begun' ? result.searches : [];
    const searches = new Map(begun.map(([query, found]) => [query, foundOf(found)]));
    return [{ rowIndex, row, searches }];
  });
}

/** What came of a row in this run. */
export type AddedResult = RowResult | Pick<BegunRow, 'status' | 'searches'>;

/** Whether a row that has failed keeps what it had: that was paid for. */
export const isReverted = (before: StoredResult | null | undefined, added: AddedResult): boolean =>
  added.status === 'error' && standing(before)?.status === 'ok';

function merged(
  before: StoredResult | null,
  added: AddedResult,
  as: { generation: number; version: number },
): StoredResult {
  const had = standing(before);
  if (added.status === 'begun')
    return had && had.status !== 'skipped' ? { ...added, before: had } : added;
  if (added.status === 'ok') return { ...added, version: as.version };
  if (had?.status === 'ok') return { ...had, note: `kept from an earlier run: ${added.error}` };
  return { ...added, run: as.generation };
}

/** The chunk's results with what was added in this run. Errors of an earlier one stay until then. */
export const mergeResults = (
  chunk: Pick<ChunkRows, 'rows' | 'results'>,
  added: ReadonlyMap<number, AddedResult>,
  as: { generation: number; version: number },
): StoredResults =>
  chunk.rows.map((_, rowIndex) => {
    const before = chunk.results?.[rowIndex] ?? null;
    const one = added.get(rowIndex);
    return one === undefined ? before : merged(before, one, as);
  });

/** What a commit counts of a chunk's results: those of rows that are not to be worked any more. */
export function countResults(chunk: ChunkRows, generation: number) {
  const open = isOpen(chunk, generation);
  const counts = { succeeded: 0, failed: 0, left: 0 };
  for (const rowIndex of chunk.rows.keys()) {
    const status = standing(chunk.results?.[rowIndex])?.status;
    if (open(rowIndex)) counts.left += 1;
    else if (status === 'ok') counts.succeeded += 1;
    else if (status === 'error') counts.failed += 1;
  }
  return counts;
}
