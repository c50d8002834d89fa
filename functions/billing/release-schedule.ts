import Stripe from 'stripe';
import type { Ctx } from '../context.ts';

/**
 * Lets the subscription go on without its schedule, as it is. One that has ended meanwhile is no more
 * than that. The key is the schedule: it can be released once.
 */
export async function releaseSchedule(
  { ctx }: { ctx: Ctx },
  schedule: Stripe.SubscriptionSchedule,
): Promise<void> {
  const { subscriptionSchedules } = ctx.stripe;
  try {
    await subscriptionSchedules.release(schedule.id, undefined, {
      idempotencyKey: `rowloom:release:${schedule.id}`,
    });
  } catch (error) {
    if (!(error instanceof Stripe.errors.StripeInvalidRequestError)) throw error;
    const now = await subscriptionSchedules.retrieve(schedule.id);
    if (now.status === 'active' || now.status === 'not_started') throw error;
  }
}
