import { hourSeconds } from '../core/clock.ts';
import { invalid } from '../core/problem.ts';
import { listInOrder } from '../core/list.ts';
import { bool, hash, metadata, moments, need, oneOf, page, str } from '../core/params.ts';
import { reads } from '../core/reads.ts';
import { route, type Route } from '../core/route.ts';
import type { Invoice } from '../core/types.ts';
import { isProcessing, payInvoice } from './payment-collection.ts';
import { finalizeAndCollect } from './billing-cycle.ts';
import { failsToFinalize, finalizationProblem } from './finalization.ts';
import { needCustomer } from './customers.ts';
import { finalizeInvoice, giveUpInvoice, voidInvoice } from './invoices.ts';
import { mergeMetadata } from './metadata.ts';

function needStatus(invoice: Invoice, allowed: string[], verb: string): Invoice {
  if (!allowed.includes(invoice.status))
    throw invalid(
      `You can only ${verb} an invoice whose status is ${allowed.join(' or ')}. This invoice is ${invoice.status}.`,
      { code: 'invoice_not_editable' },
    );
  return invoice;
}

/** Whether Stripe goes on with an invoice by itself: an hour from now, or not. */
function setAdvance(invoice: Invoice, isOn: boolean, now: number): void {
  if (invoice.auto_advance === isOn) return;
  invoice.auto_advance = isOn;
  const at = isOn && ['draft', 'open'].includes(invoice.status) ? now + hourSeconds : null;
  invoice.next_payment_attempt = at;
  invoice.automatically_finalizes_at = invoice.status === 'draft' ? at : null;
}

/** Invoices. Source: https://docs.stripe.com/api/invoices */
export const invoiceRoutes: Route[] = [
  route(
    'POST',
    '/v1/invoices/:invoice',
    { auto_advance: bool, metadata },
    ({ world, id, params }) => {
      const invoice = world.store.need('invoice', id);
      return world.change('invoice.updated', invoice, (one) => {
        one.metadata = mergeMetadata(one.metadata, params.metadata);
        if (params.auto_advance !== undefined)
          setAdvance(one, params.auto_advance, world.clock.now());
      });
    },
  ),
  route('POST', '/v1/invoices/:invoice/pay', { paid_out_of_band: bool }, ({ world, id, params }) =>
    payInvoice(world, world.store.need('invoice', id), params.paid_out_of_band ?? false),
  ),
  route(
    'POST',
    '/v1/invoices/:invoice/finalize',
    { auto_advance: bool },
    ({ world, id, params }) => {
      const invoice = needStatus(world.store.need('invoice', id), ['draft'], 'finalize');
      needCustomer(world, invoice.customer);
      if (params.auto_advance !== undefined) invoice.auto_advance = params.auto_advance;
      if (failsToFinalize(world, invoice)) throw finalizationProblem(invoice);
      (invoice.auto_advance ? finalizeAndCollect : finalizeInvoice)(world, invoice);
      return invoice;
    },
  ),
  route('POST', '/v1/invoices/:invoice/void', {}, ({ world, id }) => {
    const invoice = needStatus(world.store.need('invoice', id), ['open', 'uncollectible'], 'void');
    if (isProcessing(world, invoice))
      throw invalid('This invoice cannot be voided: a payment of it is still processing.');
    voidInvoice(world, invoice);
    return invoice;
  }),
  route('POST', '/v1/invoices/:invoice/mark_uncollectible', {}, ({ world, id }) => {
    const invoice = needStatus(world.store.need('invoice', id), ['open'], 'mark as uncollectible');
    giveUpInvoice(world, invoice);
    return invoice;
  }),
  route('GET', '/v1/invoices/:invoice/lines', page, ({ world, id, params }) => {
    const told = world.store.need('invoice', id).lines.data;
    const lines = world.store.of('line_item', 'invoice', id);
    return listInOrder(lines.length > 0 ? lines : told, params, `/v1/invoices/${id}/lines`);
  }),
  ...reads(
    'invoice',
    '/v1/invoices',
    {
      collection_method: oneOf('charge_automatically', 'send_invoice'),
      created: moments,
      customer: str,
      status: oneOf('draft', 'open', 'paid', 'uncollectible', 'void'),
      subscription: str,
    },
    {
      subscription: (one, id) => one.parent?.subscription_details?.subscription === id,
    },
  ),
  ...reads(
    'invoice_payment',
    '/v1/invoice_payments',
    {
      created: moments,
      invoice: str,
      payment: hash({ payment_intent: str, type: need(oneOf('payment_intent')) }),
      status: oneOf('canceled', 'open', 'paid'),
    },
    { payment: (one, by) => one.payment.payment_intent === by.payment_intent },
  ),
];
