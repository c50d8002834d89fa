import { shownResult, type StoredResult } from '../processing/chunk.pure.ts';
import type { Sender } from '../processing/sender.ts';
import type { JobRow } from './job-row.ts';
import { hasEnded } from './job.pure.ts';

/** A row as its reader sees it: `cells` only of one that is ok, `note` and `error` null where there is nothing to say. */
export type ShownRow = {
  status: 'ok' | 'error' | 'skipped' | 'pending';
  cells: readonly string[] | null;
  note: string | null;
  error: string | null;
};

const nothing = { cells: null, note: null, error: null };

/**
 * Where a row stands in its job, by what is stored of it and the number of the row that it is the same as, if any: of a
 * job that has ended none is pending.
 */
export function shownRow(
  job: Pick<JobRow, 'status' | 'skips_duplicates'>,
  result: StoredResult | null | undefined,
  duplicateOf: number | undefined,
): ShownRow {
  const shown = shownResult(result, job.skips_duplicates ? duplicateOf : undefined);
  switch (shown?.status) {
    case 'ok':
      return { ...nothing, status: 'ok', cells: shown.cells, note: shown.note ?? null };
    case 'error':
      return { ...nothing, status: 'error', error: shown.error };
    case 'skipped':
      return { ...nothing, status: 'skipped', note: shown.note };
    case undefined: {
      if (!hasEnded(job.status)) return { ...nothing, status: 'pending' };
      const error = job.status === 'cancelled' ? 'The job was cancelled' : 'Not processed';
      return { ...nothing, status: 'error', error };
    }
  }
}

/** By their place in a chunk, the rows that are the same as another: its number. */
export const duplicatesOf = (duplicates: [number, number][] | null): ReadonlyMap<number, number> =>
  new Map(duplicates ?? []);

/** Whether a job's last run was for the profile as it is now; both as jsonb orders them. */
const isForSender = (job: Pick<JobRow, 'run' | 'sender'>, profile: Sender | null): boolean =>
  job.run === 0 || JSON.stringify(job.sender) === JSON.stringify(profile);

/** Whether a row has succeeded as the job is asked now, for the profile as it is now. */
export const isWorkedAsAsked = (
  job: Pick<JobRow, 'run' | 'sender' | 'settings_version'>,
  profile: Sender | null,
  shown: ReturnType<typeof shownResult>,
): boolean =>
  shown?.status === 'ok' && shown.version === job.settings_version && isForSender(job, profile);
