import { ourPrice } from './catalogue.ts';
import { charge, makeIntent } from './payments.ts';
import type { Kinds, Price, Story } from './story.ts';

type Session = Kinds['checkout.session'];
type Fields = Partial<Omit<Session, 'invoice' | 'subscription' | 'payment_intent'>>;
type Bought = { price: Price; quantity: number; amount: number; discount: number; tax: number };

const sum = (amounts: number[] = []): number =>
  amounts.reduce((total, amount) => total + amount, 0);

/** What an invoice bills, as a session's lines have it. */
const boughtBy = (story: Story, invoice: Kinds['invoice']): Bought[] =>
  story
    .all('line_item')
    .filter((line) => line.invoice === invoice.id)
    .map((line) => ({
      amount: line.amount,
      discount: sum(line.discount_amounts?.map(({ amount }) => amount)),
      price: story.find('price', line.pricing?.price_details?.price),
      quantity: line.quantity ?? 1,
      tax: sum(line.taxes?.map(({ amount }) => amount)),
    }));

/**
 * A completed session about what was bought. Its event lacks `line_items`, as Stripe's does.
 * Source: https://docs.stripe.com/api/checkout/sessions/object
 */
function completeSession(story: Story, bought: Bought[], fields: Partial<Session>): Session {
  const id = story.id('cs_test_a1');
  const discount = sum(bought.map((one) => one.discount));
  const amount_subtotal = sum(bought.map(({ amount }) => amount));
  const amount_tax = sum(bought.map(({ tax }) => tax));
  const amount_total = amount_subtotal - discount + amount_tax;
  const session = story.make('checkout.session', {
    id,
    amount_subtotal,
    amount_total,
    currency: bought[0]?.price.currency ?? 'usd',
    customer_details: {
      address: null,
      business_name: null,
      email: story.cast.email ?? 'ada@example.com',
      individual_name: null,
      name: 'Ada Lovelace',
      phone: null,
      tax_exempt: 'none',
      tax_ids: [],
    },
    expires_at: story.at + 86_400,
    payment_status: amount_total > 0 ? 'paid' : 'no_payment_required',
    status: 'complete',
    total_details: { amount_discount: discount, amount_shipping: 0, amount_tax },
    ...fields,
  });
  story.tell('checkout.session.completed', session);
  const data = bought.map(({ amount, discount: amount_discount, price, quantity, tax }) =>
    story.make('item', {
      amount_discount,
      amount_subtotal: amount,
      amount_tax: tax,
      amount_total: amount - amount_discount + tax,
      currency: price.currency,
      description: price.nickname,
      price,
      quantity,
    }),
  );
  const url = `/v1/checkout/sessions/${id}/line_items`;
  session.line_items = { object: 'list', data, has_more: false, url };
  return session;
}

/** The checkout of a subscription; `fields` instead of our own marks where it was not ours. */
export function completePlan(
  story: Story,
  { subscription, invoice }: { subscription: Kinds['subscription']; invoice: Kinds['invoice'] },
  fields: Fields = marks(story),
): Session {
  const links = { customer: subscription.customer, invoice: invoice.id };
  const session = { mode: 'subscription' as const, subscription: subscription.id, ...links };
  return completeSession(story, boughtBy(story, invoice), { ...session, ...fields });
}

/** A card saved without a sale. Source: https://docs.stripe.com/payments/checkout/save-and-reuse */
export const saveCard = (story: Story, customer: string): Session =>
  completeSession(story, [], { customer, mode: 'setup', setup_intent: story.id('seti_1') });

/** How our own checkout names the user. */
function marks(story: Story, metadata: Record<string, string> = {}): Fields {
  const { userId } = story.cast;
  if (userId === undefined) return { metadata };
  return { client_reference_id: userId, metadata: { ...metadata, user_id: userId } };
}

type Pack = { price?: Price; quantity?: number; customer?: string | null; fields?: Fields };

/** A pack bought and paid, by a guest unless a customer is named; `fields` as for a plan. */
export function buyPack(story: Story, given: Pack = {}): Session {
  const { price = ourPrice(story, 'pack'), quantity = 1, customer = null } = given;
  const amount = (price.unit_amount ?? 0) * quantity;
  const intent = makeIntent(story, { amount, currency: price.currency, customer });
  charge(story, intent);
  story.tell('payment_intent.succeeded', intent);
  const pack = price.metadata['rowloom_key'] ?? '';
  const { fields = marks(story, { pack, quantity: String(quantity) }) } = given;
  return completeSession(story, [{ amount, discount: 0, price, quantity, tax: 0 }], {
    customer,
    customer_creation: customer === null ? 'if_required' : null,
    payment_intent: intent.id,
    ...fields,
  });
}
