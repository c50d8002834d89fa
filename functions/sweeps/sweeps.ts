import type { Ctx } from '../context.ts';
import { DomainError } from '../errors.ts';
import { endOverdueCancels, endOverduePauses } from '../jobs/end-overdue-stops.ts';
import { giveUpWaitingJobs } from '../jobs/give-up-waiting-jobs.ts';
import { purgeJobs } from '../jobs/purge-jobs.ts';
import { purgeLeftovers } from '../jobs/purge-leftovers.ts';
import { recoverStalledJobs } from '../jobs/recover-stalled-jobs.ts';
import { beginStartingJobs } from '../jobs/start-awaiting-jobs.ts';
import { publishForgotten } from '../notifications/publish-notifications.ts';
import { settleDueUsers } from '../ledger/due.ts';
import { purgePayloads } from '../stripe/purge-payloads.ts';
import { retryDuePage } from '../stripe/retry-events.ts';
import { type Sweep, sweep, type Swept } from './sweep.ts';

export const sweepNames = [
  'overdue_cancels',
  'overdue_pauses',
  'stalled_jobs',
  'waiting_jobs',
  'notifications',
  'stripe_events',
  'due_users',
  'awaiting_jobs',
  'expired_rows',
  'leftovers',
  'webhook_payloads',
] as const;
export type SweepName = (typeof sweepNames)[number];

const sweeps: Record<SweepName, Sweep['begin']> = {
  overdue_cancels: (ctx) => () => endOverdueCancels(ctx),
  overdue_pauses: (ctx) => () => endOverduePauses(ctx),
  stalled_jobs: (ctx) => () => recoverStalledJobs(ctx),
  waiting_jobs: (ctx) => () => giveUpWaitingJobs(ctx),
  notifications: (ctx) => () => publishForgotten(ctx),
  stripe_events: (ctx) => (untilMs) => retryDuePage(ctx, untilMs),
  due_users: (ctx) => () => settleDueUsers(ctx),
  awaiting_jobs: beginStartingJobs,
  expired_rows: (ctx) => () => purgeJobs(ctx),
  leftovers: (ctx) => () => purgeLeftovers(ctx),
  // One page a minute: what was announced must have been seen by all before it is removed.
  webhook_payloads: (ctx) => async () => {
    const { purged } = await purgePayloads(ctx);
    return { worked: purged, isMore: false, calls: 1 };
  },
};

/**
 * Subrequests of one sweep, to which its last page comes on top: the cron runs all of them in one invocation,
 * the queue one. Source: developers.cloudflare.com/workers/platform/limits (10,000 an invocation)
 */
const callsInCron = 900;
/** All of them within a minute: what takes longer goes on in the queue. */
const longestInCronMs = 5000;
const callsAlone = 8000;

/** A run of one sweep that another has handed over. */
export const sweepOn = (ctx: Ctx, { name }: { name: SweepName }): Promise<Swept> =>
  sweep(ctx, { name, begin: sweeps[name] }, { mostCalls: callsAlone });

/**
 * For the cron: runs every sweep, one after the other, since together they would wait for more than six connections.
 * One that fails does not keep the others from running; the first failure is thrown.
 */
export async function sweepAll(ctx: Ctx): Promise<void> {
  const failures: unknown[] = [];
  const limits = { mostCalls: callsInCron, longestMs: longestInCronMs };
  for (const name of sweepNames)
    await sweep(ctx, { name, begin: sweeps[name] }, limits).catch((error: unknown) => {
      const code = error instanceof DomainError ? error.code : 'internal';
      ctx.log('sweep_failed', { name, code });
      failures.push(error);
    });
  if (failures.length > 0) throw failures[0];
}
