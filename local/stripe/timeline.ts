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

/** The next thing that falls due. */
function nextDue(world: World): Due | undefined {
  let next: Due | undefined;
  const all = [checkoutDue, schedulesDue, billingDue, discountsDue, disputesDue];
  for (const due of all.flatMap((list) => list(world)))
    if (!next || due.at < next.at || (due.at === next.at && due.rank < next.rank)) next = due;
  return next;
}

/** Moves the clock to a unix second and plays, in order, all that falls due on the way. */
export function playUntil(world: World, until: number): number {
  let steps = 0;
  let due = nextDue(world);
  for (; due && due.at <= until; due = nextDue(world)) {
    if (++steps > maxSteps) throw new Error('The clock of the Stripe stand-in does not settle.');
    world.clock.moveTo(due.at);
    due.run();
  }
  world.clock.moveTo(until);
  world.quietUntil = due?.at ?? Infinity;
  settle(world);
  return steps;
}

function settle(world: World): void {
  releaseBalance(world);
  refreshCoupons(world);
}

/** Plays what the running clock has reached; looks for it only where there may be something. */
export function playDue(world: World): number {
  const now = world.clock.now();
  if (now >= world.quietUntil) return playUntil(world, now);
  settle(world);
  return 0;
}
