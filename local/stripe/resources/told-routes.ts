import { bool, moments, str } from '../core/params.ts';
import { reads } from '../core/reads.ts';
import type { Route } from '../core/route.ts';

/**
 * Objects that no call makes here: they exist where `/_local` told of them or made them, tax rates where
 * tax was computed. Source: https://docs.stripe.com/api/credit_notes, /radar/early_fraud_warnings
 */
export const toldRoutes: Route[] = [
  ...reads('credit_note', '/v1/credit_notes', { created: moments, customer: str, invoice: str }),
  ...reads('radar.early_fraud_warning', '/v1/radar/early_fraud_warnings', {
    charge: str,
    created: moments,
    payment_intent: str,
  }),
  ...reads('payment_link', '/v1/payment_links', { active: bool }),
  ...reads('tax_rate', '/v1/tax_rates', { active: bool, created: moments, inclusive: bool }),
];
