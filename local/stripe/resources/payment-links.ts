import { z } from 'zod';
import { invalid } from '../core/problem.ts';
import type { PaymentLink, Session } from '../core/types.ts';
import type { World } from '../core/world.ts';
import { createSession } from './checkout.ts';
import { noteOf } from './checkout-totals.ts';

/** What a merchant set up without our API, and what a payer put into its address. */
export const opening = z
  .strictObject({
    mode: z.enum(['payment', 'subscription']),
    line_items: z
      .array(z.strictObject({ price: z.string(), quantity: z.int().min(1).default(1) }))
      .min(1)
      .max(20),
    allow_promotion_codes: z.boolean().optional(),
    automatic_tax: z.boolean().optional(),
    client_reference_id: z.string().optional(),
    customer_creation: z.enum(['always', 'if_required']).optional(),
    /** The link's own. */
    metadata: z.record(z.string(), z.string()).optional(),
    /** One that is there already; its settings are not read again. */
    payment_link: z.string().optional(),
    prefilled_email: z.email().optional(),
    pricing_table: z.boolean().optional(),
  })
  .refine(
    ({ mode, customer_creation: creation }) => mode === 'payment' || creation === undefined,
    'customer_creation goes with the mode "payment": a subscription always makes a customer',
  )
  .refine(
    (one) =>
      one.pricing_table !== true || (one.metadata === undefined && one.payment_link === undefined),
    'a pricing table has neither metadata nor a link',
  );
type Opening = z.output<typeof opening>;

/** Others are dropped without a word. Source: https://docs.stripe.com/payment-links/url-parameters */
const isReference = (text: string | undefined): text is string => /^[\w-]{1,200}$/.test(text ?? '');

function linkOf(world: World, given: Opening, currency: string): PaymentLink {
  if (given.payment_link !== undefined) {
    const link = world.store.need('payment_link', given.payment_link, 'payment_link');
    if (!link.active) throw invalid('This payment link is no longer active.', 'payment_link');
    return link;
  }
  const link = world.store.add('payment_link', world.clock.now(), {
    allow_promotion_codes: given.allow_promotion_codes ?? false,
    currency,
    customer_creation: given.customer_creation ?? 'if_required',
    metadata: { ...given.metadata },
    payment_method_collection: given.mode === 'payment' ? 'if_required' : 'always',
  });
  link.automatic_tax.enabled = given.automatic_tax ?? false;
  link.url = `${world.base}/payment-links/${link.id}`;
  world.emit('payment_link.created', link);
  return link;
}

/**
 * The session that Stripe opens when somebody follows a Payment Link or clicks in a pricing table. The
 * link's metadata come with it; what it sells has none, and the reference is whatever the payer says.
 * Source: https://docs.stripe.com/payment-links, https://docs.stripe.com/payments/checkout/pricing-table
 */
export function openLinkedSession(world: World, given: Opening): Session {
  const { client_reference_id: reference, mode } = given;
  const price = world.store.need('price', given.line_items[0]?.price ?? '', 'line_items[0][price]');
  const link = given.pricing_table === true ? null : linkOf(world, given, price.currency);
  const session = createSession(world, {
    mode,
    allow_promotion_codes: given.allow_promotion_codes ?? false,
    automatic_tax: { enabled: given.automatic_tax ?? false },
    billing_address_collection: 'auto',
    cancel_url: 'https://stripe.com',
    line_items: given.line_items,
    locale: 'auto',
    metadata: { ...link?.metadata },
    submit_type: 'auto',
    success_url: 'https://stripe.com',
    ...(isReference(reference) && { client_reference_id: reference }),
    ...(mode === 'payment' && { customer_creation: given.customer_creation ?? 'if_required' }),
  });
  // Seen on subscriptions bought by link as well, for which it means nothing.
  session.customer_creation ??= 'if_required';
  session.discounts = [];
  session.payment_link = link?.id ?? null;
  const note = noteOf(world, session);
  if (given.prefilled_email !== undefined) note.prefilledEmail = given.prefilled_email;
  return session;
}
