import { type JsonRow, rowOf } from '../../db/rows.ts';
import type { jobs } from '../../schema.ts';

/** As the table's check has them. */
export type JobStatus =
  | 'created'
  | 'uploading'
  | 'awaiting_credits'
  | 'ready'
  | 'running'
  | 'paused'
  | 'completed'
  | 'cancelled'
  | 'failed';

/** The whole row, times as text: a header of a thousand columns is no small thing to read. */
export type JobRow = Omit<JsonRow<typeof jobs>, 'status'> & { status: JobStatus };

export const jobRow = rowOf<JobRow>('id');
