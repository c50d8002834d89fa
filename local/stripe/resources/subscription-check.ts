import { invalid } from '../core/problem.ts';
import type { Subscription } from '../core/types.ts';
import type { World } from '../core/world.ts';
import type { Update } from './subscription-params.ts';
import { periodOf } from './subscriptions.ts';
import { checkTrialEnd } from './trials.ts';

/** What a pending update may hold. Source: https://docs.stripe.com/billing/subscriptions/pending-updates-reference */
const pendable = new Set<string>([
  'billing_cycle_anchor',
  'cancel_at_period_end',
  'items',
  'metadata',
  'payment_behavior',
  'proration_behavior',
  'proration_date',
  'trial_end',
]);

/** @throws Problem for what Stripe refuses whatever the subscription's items are. */
export function checkUpdate(world: World, subscription: Subscription, params: Update): void {
  const given = Object.keys(params);
  if (
    subscription.ended_at !== null &&
    given.some((key) => key !== 'metadata' && key !== 'cancellation_details')
  )
    throw invalid('A canceled subscription can only update its cancellation_details and metadata.');
  if (params.cancel_at_period_end !== undefined && params.cancel_at !== undefined)
    throw invalid('You may only specify one of these parameters: cancel_at, cancel_at_period_end.');
  if (typeof params.cancel_at === 'number' && params.cancel_at <= world.clock.now())
    throw invalid('`cancel_at` must be in the future.', { param: 'cancel_at' });
  if (typeof params.trial_end === 'number')
    checkTrialEnd(params.trial_end, world.clock.now(), 'trial_end');
  const { pause_collection: pause } = params;
  if (pause && pause.resumes_at !== undefined && pause.resumes_at <= world.clock.now())
    throw invalid('`resumes_at` must be in the future.', 'pause_collection[resumes_at]');
  const { start, end } = periodOf(subscription);
  const { proration_date: at = start } = params;
  if (at < start || at > end)
    throw invalid('The proration date must be in the current period.', 'proration_date');
  const isEnding = params.cancel_at !== undefined || params.cancel_at_period_end !== undefined;
  // Source of the words: https://github.com/dust-tt/dust/pull/32051
  if (isEnding && subscription.schedule !== null)
    throw invalid(
      `The subscription is managed by the subscription schedule \`${subscription.schedule}\`, and updating any cancelation behavior directly is not allowed.`,
    );
  const isInTrial = params.trial_end === undefined && subscription.status === 'trialing';
  if (
    params.billing_cycle_anchor?.type === 'now' &&
    (isInTrial || typeof params.trial_end === 'number')
  )
    // Source: https://docs.stripe.com/changelog/endive/2026-10-28/error-code-billing-cycle-trial-end-validation-subscriptions
    throw invalid('The billing cycle anchor cannot be earlier than the end of the trial.', {
      code: 'subscription_update_trial_after_billing_cycle_anchor',
      param: 'billing_cycle_anchor',
    });
  const wrong = given.find((key) => !pendable.has(key));
  if (params.payment_behavior === 'pending_if_incomplete' && wrong !== undefined)
    throw invalid(
      `When \`payment_behavior\` is set to \`pending_if_incomplete\`, you cannot pass \`${wrong}\`.`,
      { param: wrong },
    );
}
