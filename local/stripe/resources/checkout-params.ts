import {
  bool,
  currency,
  hash,
  list,
  metadata,
  natural,
  need,
  oneOf,
  str,
  strOrUnset,
  type Values,
} from '../core/params.ts';
import { trialSettings } from './subscription-params.ts';

/** Languages of the payment page and the portal. Source: the SDK's declarations of both sessions */
export const locales =
  'auto bg cs da de el en en-GB es es-419 et fi fil fr fr-CA hr hu id it ja ko lt lv ms mt nb nl pl pt pt-BR ro ru sk sl sv th tr vi zh zh-HK zh-TW'.split(
    ' ',
  );

/** Parameters of a new session. Source: https://docs.stripe.com/api/checkout/sessions/create */
export const sessionRules = {
  allow_promotion_codes: bool,
  allowed_payment_method_types: list(oneOf('card', 'us_bank_account')),
  automatic_tax: hash({ enabled: need(bool) }),
  billing_address_collection: oneOf('auto', 'required'),
  cancel_url: str,
  client_reference_id: str,
  currency,
  customer: str,
  customer_creation: oneOf('always', 'if_required'),
  customer_email: str,
  /** Played when the buyer pays: Stripe shows it nowhere. */
  customer_update: hash({ address: oneOf('auto', 'never'), name: oneOf('auto', 'never') }),
  discounts: list(hash({ coupon: str, promotion_code: str }), 1),
  expires_at: natural,
  line_items: need(list(hash({ price: need(str), quantity: natural, metadata }))),
  locale: oneOf(...locales, 'hi-IN'),
  metadata,
  mode: need(oneOf('payment', 'subscription')),
  payment_intent_data: hash({
    description: strOrUnset,
    metadata,
    receipt_email: str,
    statement_descriptor: str,
  }),
  payment_method_collection: oneOf('always', 'if_required'),
  submit_type: oneOf('auto', 'book', 'donate', 'pay', 'subscribe'),
  subscription_data: hash({
    billing_mode: hash({ type: need(oneOf('classic', 'flexible')) }),
    description: strOrUnset,
    metadata,
    trial_end: natural,
    trial_period_days: natural,
    trial_settings: trialSettings,
  }),
  success_url: need(str),
  tax_id_collection: hash({ enabled: need(bool), required: oneOf('if_supported', 'never') }),
  ui_mode: oneOf('hosted_page'),
};

/** What a request for a session holds. */
export type NewSession = Values<typeof sessionRules>;
