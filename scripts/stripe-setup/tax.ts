import type Stripe from 'stripe';
import type { Report } from './prices.ts';

/**
 * Tells if automatic tax cannot work yet: Stripe refuses every checkout then. Only a person can mend that.
 * Source: docs.stripe.com/api/tax/settings
 */
export async function checkTax(stripe: Stripe, report: Report): Promise<void> {
  const { status, status_details: details } = await stripe.tax.settings.retrieve();
  if (status === 'active') return;
  const missing = details.pending?.missing_fields?.join(', ') ?? 'unknown';
  report(
    `Stripe Tax is not active, so with STRIPE_AUTOMATIC_TAX every checkout is refused. Missing: ${missing}. See dashboard.stripe.com/settings/tax.`,
  );
}
