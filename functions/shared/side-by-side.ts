import { DomainError } from '../errors.ts';

/** What a bounded piece of a sweep came to. */
export type SweepPage = {
  /** What it brought forward; 0: another page would get no further. */
  worked: number;
  /** Whether more is due, for all that it knows. */
  isMore: boolean;
  /** Subrequests that it took, at most. */
  calls: number;
};

/** Of the six connections of an invocation; others have work as well. */
const mostAtOnce = 4;

/** So many in a row that nobody answered: it is not these items. */
const stopAfterUnanswered = 3;

/** The database is away, or another part that everybody needs. */
export const isUnanswered = (error: unknown): boolean =>
  error instanceof DomainError && error.code === 'service_unavailable';

type How<T> = {
  /** Told of each that threw. Gives whether it was that nobody answered. */
  onFailure: (item: T, error: unknown) => boolean;
  atOnce?: number;
};

/**
 * Works items in order, a few at a time. One that throws holds up none behind it; when nobody answers any
 * more, the rest is left. Gives how many were worked.
 */
export async function sideBySide<T>(
  items: readonly T[],
  work: (item: T) => Promise<unknown>,
  { onFailure, atOnce = mostAtOnce }: How<T>,
): Promise<{ worked: number; isStopped: boolean }> {
  const queue = items.values();
  let worked = 0;
  let unanswered = 0;
  const isStopped = () => unanswered >= stopAfterUnanswered;
  const workOn = async () => {
    for (const item of queue) {
      try {
        await work(item);
        worked += 1;
        unanswered = 0;
      } catch (error) {
        unanswered = onFailure(item, error) ? unanswered + 1 : 0;
      }
      if (isStopped()) return;
    }
  };
  await Promise.all(Array.from({ length: atOnce }, workOn));
  return { worked, isStopped: isStopped() };
}
