import {
  type AddedResult,
  type ChunkRows,
  countResults,
  isReverted,
  mergeResults,
  type StoredResults,
} from './chunk.pure.ts';
import type { RowOutcome } from './process-rows.ts';

type As = { generation: number; version: number };

/**
 * A chunk with what has come of its rows, and what a commit counts of it: `reverted` are rows done since the last
 * commit that keep what they had; `left` those that are still to be worked.
 */
export function withOutcomes<T extends ChunkRows>(
  chunk: T,
  outcomes: ReadonlyMap<number, RowOutcome>,
  as: As,
) {
  const added = storable(outcomes);
  const done = new Set([...added].flatMap(([i, { status }]) => (status === 'begun' ? [] : [i])));
  const todo = chunk.todo?.filter((i) => !done.has(i)) ?? null;
  const results = mergeResults(chunk, added, as);
  const after: T & { results: StoredResults } = { ...chunk, results, todo };
  const reverted = [...added].filter(
    ([i, one]) => chunk.todo?.includes(i) && isReverted(chunk.results?.[i], one),
  ).length;
  return { after, reverted, ...countResults(after, as.generation) };
}

/** What is stored of rows: results, and what was paid for of those that have none. */
function storable(outcomes: ReadonlyMap<number, RowOutcome>): Map<number, AddedResult> {
  const stored = new Map<number, AddedResult>();
  for (const [rowIndex, outcome] of outcomes)
    if (outcome.status === 'ok') stored.set(rowIndex, outcome);
    else if (outcome.status === 'error')
      stored.set(rowIndex, { status: 'error', error: outcome.error });
    else if (outcome.searches.size > 0)
      stored.set(rowIndex, { status: 'begun', searches: [...outcome.searches] });
  return stored;
}

/** Whether a row is why it failed. */
export const isFaulty = (outcome: RowOutcome): boolean =>
  outcome.status === 'error' && outcome.isFaulty === true;
