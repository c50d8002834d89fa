import { daySeconds } from '../core/clock.ts';
import type { Period, Recurring } from '../core/types.ts';

/** `start` plus `count` calendar months, on the last day of a shorter month. */
function addMonths(start: number, count: number): number {
  const date = new Date(start * 1000);
  const day = date.getUTCDate();
  date.setUTCDate(1);
  date.setUTCMonth(date.getUTCMonth() + count);
  const last = new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 0)).getUTCDate();
  date.setUTCDate(Math.min(day, last));
  return Math.floor(date.getTime() / 1000);
}

/** `start` plus so many intervals, in unix seconds UTC. */
export function addIntervals(start: number, recurring: Recurring, times: number): number {
  const count = recurring.interval_count * times;
  if (recurring.interval === 'day') return start + count * daySeconds;
  if (recurring.interval === 'week') return start + count * 7 * daySeconds;
  return addMonths(start, recurring.interval === 'month' ? count : count * 12);
}

/** More periods than a daily price has until the clock's last day. */
const maxPeriods = 100_000;

/**
 * The end of the period that begins at `start`, counted from the anchor so that the 31st comes back
 * after February. Source: https://docs.stripe.com/billing/subscriptions/billing-cycle
 */
export function periodFrom(anchor: number, recurring: Recurring, start: number): Period {
  for (let times = 1; times <= maxPeriods; times += 1) {
    const end = addIntervals(anchor, recurring, times);
    if (end > start) return { start, end };
  }
  throw new RangeError(`No period of ${JSON.stringify(recurring)} ends after ${start}.`);
}
