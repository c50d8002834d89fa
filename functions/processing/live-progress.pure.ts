import { leaseSeconds } from './chunk.pure.ts';

/** Rows that ended in chunks that are not committed yet. */
export type LiveRows = { succeeded: number; failed: number };

export const noLiveRows: LiveRows = { succeeded: 0, failed: 0 };

/**
 * How long after its lease a chunk's rows count. No longer than the lease itself: whoever overran it
 * may have been replaced, and what a killed invocation left behind must not count for ever.
 */
const countedMs = leaseSeconds * 1000;

/** A chunk's field in Redis: `succeeded,failed,leasedAt`, the time in milliseconds since 1970. */
export const liveField = (rows: LiveRows, leasedAtMs: number): string =>
  `${rows.succeeded},${rows.failed},${leasedAtMs}`;

/** The sum over a job's fields. A field that is too old, or none of ours, counts nothing. */
export function sumLive(fields: readonly unknown[], nowMs: number): LiveRows {
  const sum = { ...noLiveRows };
  for (const field of fields) {
    const [, succeeded, failed, leasedAt] =
      /^(\d{1,9}),(\d{1,9}),(\d{1,15})$/.exec(String(field)) ?? [];
    if (leasedAt === undefined || nowMs - Number(leasedAt) >= countedMs) continue;
    sum.succeeded += Number(succeeded);
    sum.failed += Number(failed);
  }
  return sum;
}
