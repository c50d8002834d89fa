import type { Ctx } from '../context.ts';
import { waitingOf } from '../processing/open-providers.ts';
import type { OpenProvider } from '../processing/waiting.pure.ts';
import { isoOfMs } from '../shared/time.pure.ts';
import type { JobSummary, JobWaiting } from './job.pure.ts';

/** Which provider a job that runs waits for, as the API shows it; null: none. */
export function jobWaiting(
  ctx: Pick<Ctx, 'config'>,
  { needs_search: needsSearch }: Pick<JobSummary, 'needs_search'>,
  open: readonly OpenProvider[],
): JobWaiting | null {
  const waiting = waitingOf(ctx.config, needsSearch, open);
  if (!waiting) return null;
  const { provider, reason, untilMs } = waiting;
  return { provider, reason, until: isoOfMs(untilMs) };
}
