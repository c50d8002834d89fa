import {
  bool,
  either,
  hash,
  int,
  intOrUnset,
  metadata,
  natural,
  need,
  oneOf,
  orUnset,
  strOrUnset,
  type Rule,
  type Values,
} from '../core/params.ts';
import type { Subscription } from '../core/types.ts';
import { discountRules } from './discounts.ts';
import { itemList } from './subscription-plan.ts';

export const behaviours = oneOf('always_invoice', 'create_prorations', 'none');

const endings = hash({
  end_behavior: need(
    hash({ missing_payment_method: need(oneOf('cancel', 'create_invoice', 'pause')) }),
  ),
});
/** What becomes of a trial without a card. Source: https://docs.stripe.com/billing/subscriptions/trials */
export const trialSettings: Rule<Subscription['trial_settings']> = {
  read: (raw, name) => ({
    end_behavior: { billing_cycle_anchor: null, ...endings.read(raw, name).end_behavior },
  }),
};

/** Source: https://docs.stripe.com/api/subscriptions/cancel#cancel_subscription-cancellation_details-feedback */
export const feedback = oneOf(
  'customer_service',
  'low_quality',
  'missing_features',
  'other',
  'switched_service',
  'too_complex',
  'too_expensive',
  'unused',
);
export const cancellationDetails = hash({ comment: strOrUnset, feedback: orUnset(feedback) });

/** Parameters of an update. Source: https://docs.stripe.com/api/subscriptions/update */
export const updateRules = {
  // An object since 2026-09-30: https://docs.stripe.com/changelog/endive/2026-09-30/polymorphic-billing-cycle-anchor
  billing_cycle_anchor: hash({ type: need(oneOf('now', 'unchanged')) }),
  cancel_at: intOrUnset,
  cancel_at_period_end: bool,
  cancellation_details: cancellationDetails,
  description: strOrUnset,
  discounts: discountRules,
  items: itemList,
  metadata,
  pause_collection: either(
    hash({
      behavior: need(oneOf('keep_as_draft', 'mark_uncollectible', 'void')),
      resumes_at: int,
    }),
    oneOf(''),
  ),
  payment_behavior: oneOf(
    'allow_incomplete',
    'default_incomplete',
    'error_if_incomplete',
    'pending_if_incomplete',
  ),
  proration_behavior: behaviours,
  proration_date: natural,
  trial_end: either(oneOf('now'), natural),
  trial_settings: trialSettings,
};
export type Update = Values<typeof updateRules>;
