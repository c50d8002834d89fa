import { Problem } from '../core/problem.ts';
import type { Invoice } from '../core/types.ts';
import type { World } from '../core/world.ts';

/** Source: https://docs.stripe.com/error-codes */
const errors = {
  failed: {
    code: 'taxes_calculation_failed',
    doc_url: 'https://docs.stripe.com/error-codes/taxes-calculation-failed',
    message: 'Tax calculation failed. Please try again.',
    type: 'invalid_request_error',
  },
  requires_location_inputs: {
    code: 'customer_tax_location_invalid',
    doc_url: 'https://docs.stripe.com/error-codes/customer-tax-location-invalid',
    message:
      "The customer's location isn't recognized. Set a valid customer address in order to automatically calculate tax.",
    type: 'invalid_request_error',
  },
} as const;

/**
 * Whether a draft stays one because its tax cannot be computed; `/_local/customers` says so, once. It
 * is not tried again by itself. Source: https://docs.stripe.com/tax/customer-locations
 */
export function failsToFinalize(world: World, invoice: Invoice): boolean {
  const { finalizationFails: fails } = world.store.notes;
  const status = fails[invoice.customer];
  if (status === undefined || !invoice.automatic_tax.enabled) return false;
  delete fails[invoice.customer];
  Object.assign(invoice, {
    automatic_tax: { ...invoice.automatic_tax, status },
    automatically_finalizes_at: null,
    last_finalization_error: errors[status],
    next_payment_attempt: null,
  });
  world.emit('invoice.finalization_failed', invoice);
  return true;
}

/** The answer to a call that was to finalize such an invoice. */
export function finalizationProblem(invoice: Invoice): Problem {
  const status = invoice.automatic_tax.status === 'failed' ? 'failed' : 'requires_location_inputs';
  return new Problem(400, errors[status]);
}

/** What a failure left, once the invoice is finalized after all. */
export function forgetFailure(invoice: Invoice): void {
  if (invoice.automatic_tax.enabled) invoice.automatic_tax.status = 'complete';
  invoice.last_finalization_error = null;
}
