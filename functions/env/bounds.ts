import * as z from 'zod';
import { count } from './fields.ts';

/** What one user may have at once, keep, or have for nothing. */
export const boundSettings = {
  RETRIES_PER_JOB: count(3),
  FREE_ERROR_ROWS_PER_DAY: count(500),
  UNLIMITED_ROWS_PER_DAY: count(20_000, 1),
  OPEN_JOBS_PER_USER: count(100, 1),
  UPLOADS_PER_USER: count(3, 1),
  STORED_BYTES_PER_USER: count(500_000_000, 1),
  EVENT_STREAMS_PER_USER: count(20, 1),
};

const boundsShape = z.object(boundSettings);

export const boundsOf = (env: z.infer<typeof boundsShape>) => ({
  /** Runs of a job that work its failed rows again, unpaid. */
  retriesPerJob: env.RETRIES_PER_JOB,
  /** Rows a day that a model may be asked for and nobody pays for; or twice those that succeeded. */
  freeErrorRowsPerDay: env.FREE_ERROR_ROWS_PER_DAY,
  /** Rows a day on an unlimited plan. */
  unlimitedRowsPerDay: env.UNLIMITED_ROWS_PER_DAY,
  openJobs: env.OPEN_JOBS_PER_USER,
  /** Uploads at once. */
  uploads: env.UPLOADS_PER_USER,
  /** Bytes of rows and results as they are stored. */
  storedBytes: env.STORED_BYTES_PER_USER,
  /** Event streams at once. */
  eventStreams: env.EVENT_STREAMS_PER_USER,
});
