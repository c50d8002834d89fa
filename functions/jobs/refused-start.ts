import * as z from 'zod';
import { DomainError } from '../errors.ts';

const dayMs = 86_400_000;

/** Bounds that keep a job from starting, as `rowloom.job_run` and `job_start` say them. */
export const refusedStart = z.discriminatedUnion('code', [
  z.strictObject({ code: z.literal('too_many_failed_rows'), limit: z.int(), used: z.int() }),
  z.strictObject({ code: z.literal('fair_use'), limit: z.int(), used: z.int(), rows: z.int() }),
  z.strictObject({ code: z.literal('storage_full'), limitBytes: z.int(), usedBytes: z.int() }),
]);
export type RefusedStart = z.infer<typeof refusedStart>;

/** Days are those of UTC. */
const untilTomorrow = (now: Date) => ({
  retryAfterSeconds: Math.ceil((dayMs - (now.getTime() % dayMs)) / 1000),
});

/** A bound in the user's words; `advice` tells what becomes of the job. */
export function refusal(
  { code, ...extra }: RefusedStart,
  { jobId, advice, now }: { jobId: string; advice: string; now: Date },
): DomainError {
  const withJob = { extra: { ...extra, jobId } };
  if ('limitBytes' in extra)
    return new DomainError(
      code,
      `Rows and results of your jobs take ${extra.usedBytes} bytes; with this file they would take more than ${extra.limitBytes}. Nothing of it was stored: delete jobs that you need no more, then send it again.`,
      withJob,
    );
  if (!('rows' in extra))
    return new DomainError(
      code,
      `${extra.used} rows were worked for nothing today, where ${extra.limit} may: their own cells or the prompt kept the model from an answer, or their job was cancelled or deleted meanwhile. ${advice}`,
      { ...withJob, ...untilTomorrow(now) },
    );
  if (extra.rows > extra.limit)
    return new DomainError(
      code,
      `The job has ${extra.rows} rows to work; an unlimited plan works ${extra.limit} a day. Split the file.`,
      withJob,
    );
  return new DomainError(
    code,
    `An unlimited plan works ${extra.limit} rows a day: ${extra.used} are begun today, and this job has ${extra.rows}. ${advice}`,
    { ...withJob, ...untilTomorrow(now) },
  );
}
