/** What a job's row counts of its rows and credits. */
export type JobCounts = {
  rows_total: number;
  rows_done: number;
  rows_succeeded: number;
  rows_failed: number;
  rows_skipped: number;
  credits_held: number;
  credits_charged: number;
  credits_released: number;
};

/** The same as the API and notifications show it. `held` is what is on hold now: 0 once the job has ended. */
export const jobCounts = (job: JobCounts) => ({
  rows: {
    total: job.rows_total,
    done: job.rows_done,
    succeeded: job.rows_succeeded,
    failed: job.rows_failed,
    skipped: job.rows_skipped,
  },
  credits: {
    held: job.credits_held,
    charged: job.credits_charged,
    released: job.credits_released,
  },
});
