import type Stripe from 'stripe';
import type { Ctx } from '../context.ts';
import { DomainError } from '../errors.ts';
import { isMissing, withStripe } from '../clients/stripe-errors.ts';

const isoOf = (seconds: number): string => new Date(seconds * 1000).toISOString();

/** The period that was paid for: an invoice's own `period_*` is the one before it. */
function periodOf(invoice: Stripe.Invoice): { start: number; end: number } {
  const periods = invoice.lines.data.map(({ period }) => period);
  const [newest] = periods.toSorted((a, b) => b.end - a.end);
  return newest ?? { start: invoice.period_start, end: invoice.period_end };
}

function viewOf(invoice: Stripe.Invoice) {
  const period = periodOf(invoice);
  return {
    id: invoice.id,
    number: invoice.number,
    status: invoice.status,
    amountDue: invoice.amount_due,
    amountPaid: invoice.amount_paid,
    currency: invoice.currency,
    createdAt: isoOf(invoice.created),
    periodStart: isoOf(period.start),
    periodEnd: isoOf(period.end),
    hostedUrl: invoice.hosted_invoice_url ?? null,
    pdfUrl: invoice.invoice_pdf ?? null,
  };
}

export type InvoiceView = ReturnType<typeof viewOf>;

/**
 * The user's invoices from Stripe, newest first; amounts in the currency's minor unit. Who has no
 * customer has no invoices, and Stripe is not asked.
 * Source: docs.stripe.com/api/invoices/list
 */
export async function listInvoices(
  ctx: Ctx,
  input: { userId: string; limit: number; cursor?: string | undefined },
): Promise<{ items: InvoiceView[]; nextCursor: string | null }> {
  const [user] = await ctx.db.rows<{ stripe_customer_id: string | null }>(
    'select stripe_customer_id from users where id = $1',
    [input.userId],
  );
  const customer = user?.stripe_customer_id;
  if (customer == null) return { items: [], nextCursor: null };
  return withStripe(async () => {
    try {
      const page = await ctx.stripe.invoices.list({
        customer,
        limit: input.limit,
        ...(input.cursor !== undefined && { starting_after: input.cursor }),
      });
      const items = page.data.map(viewOf);
      return { items, nextCursor: page.has_more ? (items.at(-1)?.id ?? null) : null };
    } catch (error) {
      if (isMissing(error, 'customer')) return { items: [], nextCursor: null };
      if (isMissing(error, 'starting_after'))
        throw new DomainError('invalid_request', 'The cursor names no invoice.', { cause: error });
      throw error;
    }
  });
}
