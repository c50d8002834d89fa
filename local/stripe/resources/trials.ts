import { daySeconds } from '../core/clock.ts';
import { invalid, onlyOne } from '../core/problem.ts';

const maxDays = 730;

/** Refuses the end of a trial that is not ahead, or too far. Source: https://docs.stripe.com/billing/subscriptions/trials */
export function checkTrialEnd(end: number, now: number, param: string, minDays = 0): void {
  if (end <= now)
    throw invalid('Invalid timestamp: must be an integer Unix timestamp in the future.', param);
  if (end < now + minDays * daySeconds)
    throw invalid(
      `The \`trial_end\` date has to be at least ${minDays} days in the future.`,
      param,
    );
  if (end > now + maxDays * daySeconds)
    throw invalid(`The \`trial_end\` date has to be at most ${maxDays} days away.`, param);
}

/** When a new subscription's trial ends, in unix seconds; null without one. */
export function readTrial(
  params: { trial_end?: number; trial_period_days?: number },
  now: number,
  minDays = 0,
  nameOf = (name: string): string => name,
): number | null {
  onlyOne(params, 'trial_end', 'trial_period_days');
  const { trial_end: end, trial_period_days: days } = params;
  if (days !== undefined && (days < 1 || days > maxDays))
    throw invalid(
      `The minimum number of trial period days is 1 and the maximum ${maxDays}.`,
      nameOf('trial_period_days'),
    );
  if (end !== undefined) checkTrialEnd(end, now, nameOf('trial_end'), minDays);
  return end ?? (days === undefined ? null : now + days * daySeconds);
}
