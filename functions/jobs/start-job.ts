import * as z from 'zod';
import type { Ctx } from '../context.ts';
import { DomainError } from '../errors.ts';
import { bringUpToDate } from '../ledger/due.ts';
import { readStanding } from '../ledger/standing.ts';
import { accountSuspended } from './account-suspended.ts';
import { publishNotification } from '../notifications/publish-notifications.ts';
import { dispatchJob } from './dispatch-job.ts';
import { jobRow } from './job-row.ts';
import { dispatchOf, hasEnded, wholeJobView } from './job.pure.ts';
import { refusal, refusedStart } from './refused-start.ts';

/** What `rowloom.job_run` says. */
export const startOutcome = z.union([
  z.strictObject({
    started: z.literal(true),
    job: jobRow,
    /** Another call has begun it, or there was nothing to begin. */
    joined: z.literal(true).optional(),
  }),
  z.strictObject({ started: z.literal(false), job: jobRow, refused: refusedStart }),
  z.strictObject({
    started: z.literal(false),
    job: jobRow,
    suspended: z.boolean(),
    required: z.int(),
    balance: z.int().nullable(),
    refused: z.undefined().optional(),
  }),
]);
type StartOutcome = z.infer<typeof startOutcome>;

/** How often a start looks again at what its user is entitled to, when that has just changed. */
const mostLooks = 6;

/** What a run is held for: as the user stands at this moment, and as of which version. */
type Terms = {
  p_user: string;
  p_per_row: number;
  p_unlimited: boolean;
  p_standing: number;
  p_bounds: Ctx['config']['bounds'];
};

const isBooksBehind = (error: unknown): boolean =>
  error instanceof DomainError && error.code === 'books_behind';

/** Does what needs a user's books as they are now; those that are behind are brought up to date first. */
export async function onSettledBooks<T>(
  ctx: Ctx,
  userId: string,
  work: () => Promise<T>,
): Promise<T> {
  for (let looks = 1; ; looks += 1)
    try {
      return await work();
    } catch (error) {
      if (!isBooksBehind(error)) throw error;
      if (looks === mostLooks)
        throw new DomainError('busy', 'The account is busy; try again shortly.', {
          cause: error,
          retryAfterSeconds: 1,
        });
      if ((error as DomainError).extra['books'] === 'refold') await bringUpToDate(ctx, userId);
    }
}

/** Starts a run on what its user is entitled to now. */
export const startOnEntitlement = (
  ctx: Ctx,
  userId: string,
  start: (terms: Terms) => Promise<StartOutcome>,
): Promise<StartOutcome> =>
  onSettledBooks(ctx, userId, async () => {
    const { plan, standingVersion } = await readStanding(ctx, userId);
    return start({
      p_user: userId,
      p_per_row: ctx.config.creditsPerRow,
      p_unlimited: plan?.credits === null,
      p_standing: standingVersion,
      p_bounds: ctx.config.bounds,
    });
  });

/** An upload whose rows are all stored. */
export type StoredUpload = {
  id: string;
  header: readonly string[];
  warnings: readonly string[];
  /** How the file was read. */
  input: { encoding: string; delimiter: string } | null;
};

/**
 * Holds the credits of a job whose rows are stored and hands its chunks to QStash. Without `upload` it
 * is a start after buying credits; a job that has started already is left as it is. Throws
 * `insufficient_credits`, `account_suspended`, `too_many_failed_rows` or `fair_use` and keeps the rows;
 * `storage_full`, of an upload, and keeps none.
 */
export async function startJob(
  ctx: Ctx,
  input: { userId: string; jobId: string; upload?: StoredUpload | undefined },
) {
  const outcome = await startOnEntitlement(ctx, input.userId, (terms) =>
    ctx.db.call(
      'job_start',
      {
        ...terms,
        p_job: input.jobId,
        p_upload: input.upload?.id ?? null,
        p_header: input.upload?.header ?? null,
        p_warnings: input.upload?.warnings ?? null,
        p_input: input.upload?.input ?? null,
      },
      startOutcome,
    ),
  );
  return dispatchStarted(ctx, outcome, {
    credits: 'The rows are kept: start the job once there are enough.',
    tomorrow: 'The rows are kept: the job starts by itself tomorrow (UTC).',
  });
}

/** What is told of a job that does not run: for want of credits, or until tomorrow. */
type Advice = { credits: string; tomorrow: string };

/** Why a job does not run, with advice. */
export function refusedToStart(
  ctx: Ctx,
  outcome: Exclude<StartOutcome, { started: true }>,
  advice: Advice,
): DomainError {
  const { job } = outcome;
  if (outcome.refused)
    return refusal(outcome.refused, { jobId: job.id, advice: advice.tomorrow, now: ctx.now() });
  if (outcome.suspended) return accountSuspended();
  const { required, balance } = outcome;
  return new DomainError(
    'insufficient_credits',
    `The job needs ${required} credits; there are ${balance}. ${advice.credits}`,
    { extra: { required, balance, jobId: job.id } },
  );
}

/** Dispatches a job that now runs; throws, with advice, for one that does not. */
export async function dispatchStarted(ctx: Ctx, outcome: StartOutcome, advice: Advice) {
  const { job } = outcome;
  if (!outcome.started) throw refusedToStart(ctx, outcome, advice);
  // Its samples were all there was to work.
  if (hasEnded(job.status) && job.options.notifyUrl !== undefined)
    await publishNotification(ctx, { jobId: job.id });
  // What the watchdog has begun to publish anew, it goes on with.
  if (job.status !== 'running' || job.watchdog_runs > 0) return wholeJobView(job, ctx.now());
  // The hold is committed: if publishing fails now, the watchdog publishes.
  await dispatchJob(ctx, dispatchOf(job), job.chunks_dispatched).catch(() => {
    ctx.log('dispatch_failed', { jobId: job.id });
  });
  return wholeJobView(job, ctx.now());
}
