import type { World } from './core/world.ts';
import { expireSession, settleSession } from './resources/checkout-pay.ts';
import { releaseBalance } from './resources/balance.ts';
import { billingDue, type Due } from './resources/billing-cycle.ts';
import { discountsDue, refreshCoupons } from './resources/discounts.ts';
import { disputesDue } from './resources/disputes.ts';
import { schedulesDue } from './resources/schedules.ts';

/** Steps that one advance may take: ten years of a thousand daily subscriptions. */
const maxSteps = 4_000_000;

const checkoutDue = (world: World): Due[] =>
  world.store.played('checkout.session').flatMap((session): Due[] => {
    if (session.status === 'open')
      return [{ at: session.expires_at, rank: 2, run: () => expireSession(world, session) }];
    const settlesAt = world.store.notes.sessions[session.id]?.settlesAt ?? null;
    if (settlesAt === null) return [];
    return [{ at: settlesAt, rank: 2, run: () => settleSession(world, session, true) }];
  });

/** The next thing that falls due by `until`; the earliest first. */
function nextDue(world: World, until: number): Due | undefined {
  let next: Due | undefined;
  const all = [checkoutDue, schedulesDue, billingDue, discountsDue, disputesDue];
  for (const due of all.flatMap((list) => list(world))) {
    if (due.at > until) continue;
    if (!next || due.at < next.at || (due.at === next.at && due.rank < next.rank)) next = due;
  }
  return next;
}

/** Moves the clock to a unix second and plays, in order, all that falls due on the way. */
export function playUntil(world: World, until: number): number {
  let steps = 0;
  for (let due = nextDue(world, until); due; due = nextDue(world, until)) {
    if (++steps > maxSteps) throw new Error('The clock of the Stripe stand-in does not settle.');
    world.clock.moveTo(due.at);
    due.run();
  }
  world.clock.moveTo(until);
  releaseBalance(world);
  refreshCoupons(world);
  return steps;
}
