import { differences } from '../../../local/stripe/core/world.ts';
import { legacyPlan } from './catalogue.ts';
import type { Kinds, Step, Story, StoryEvent, Thing } from './story.ts';

type Json = Record<string, unknown>;

/** `price`, `plan`, `proration` and links at the top, where today `pricing` and `parent` stand. */
function olderLine(story: Story, line: Kinds['line_item']): Json {
  const { parent, pricing, taxes, subtotal: _, quantity_decimal: __, ...rest } = line;
  const ofItem = parent?.subscription_item_details;
  const details = ofItem ?? parent?.invoice_item_details;
  const price = story.find('price', pricing?.price_details?.price);
  return {
    ...rest,
    amount_excluding_tax: line.amount,
    ...(details?.invoice_item != null && { invoice_item: details.invoice_item }),
    plan: price.recurring ? legacyPlan(price) : null,
    price,
    proration: details?.proration ?? false,
    proration_details: details?.proration_details ?? { credited_items: null },
    ...(ofItem && { subscription_item: ofItem.subscription_item }),
    tax_amounts: (taxes ?? []).map(({ amount }) => ({ amount, inclusive: false })),
    tax_rates: [],
    type: details?.invoice_item == null ? 'subscription' : 'invoiceitem',
    unit_amount_excluding_tax: pricing?.unit_amount_decimal ?? null,
  };
}

const paymentBy = (story: Story, key: 'invoice' | 'intent', id: string) =>
  story
    .all('invoice_payment')
    .find((one) => (key === 'invoice' ? one.invoice : one.payment.payment_intent) === id);

function olderInvoice(story: Story, invoice: Kinds['invoice']): Json {
  const { parent, total_taxes: taxes, amount_overpaid: _, ...rest } = invoice;
  const details = parent?.subscription_details;
  const intent = paymentBy(story, 'invoice', invoice.id)?.payment.payment_intent ?? null;
  const charge = story.all('charge').find((one) => one.payment_intent === intent)?.id ?? null;
  const isPaid = invoice.status === 'paid';
  return {
    ...rest,
    charge: isPaid && intent !== null ? charge : null,
    lines: { ...invoice.lines, data: invoice.lines.data.map((line) => olderLine(story, line)) },
    paid: isPaid,
    paid_out_of_band: isPaid && invoice.amount_due > 0 && charge === null,
    payment_intent: invoice.status === 'draft' ? null : intent,
    subscription: details?.subscription ?? null,
    subscription_details: { metadata: details?.metadata ?? null },
    tax: taxes?.[0]?.amount ?? null,
    total_tax_amounts: [],
  };
}

/** The period stood on the subscription; of mixed intervals, the shortest one. */
function olderSubscription(subscription: Kinds['subscription']): Json {
  const { billing_mode: _, billing_schedules: __, items, ...rest } = subscription;
  const [next] = items.data.toSorted((a, b) => a.current_period_end - b.current_period_end);
  const data = items.data.map(
    ({ current_period_start: _s, current_period_end: _e, ...one }) => one,
  );
  return {
    ...rest,
    current_period_end: next?.current_period_end,
    current_period_start: next?.current_period_start,
    items: { ...items, data },
  };
}

function older(story: Story, thing: Thing): object {
  if (thing.object === 'invoice') return olderInvoice(story, thing as Kinds['invoice']);
  if (thing.object === 'subscription') return olderSubscription(thing as Kinds['subscription']);
  const intent = thing.object === 'charge' ? (thing as Kinds['charge']).payment_intent : thing.id;
  const invoice = paymentBy(story, 'intent', intent ?? '')?.invoice ?? null;
  return thing.object === 'charge' || thing.object === 'payment_intent'
    ? { ...thing, invoice }
    : thing;
}

const isHash = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** What an object was before the change that its event tells of. */
const before = (now: Json, previous: Json): Json => ({
  ...now,
  ...Object.fromEntries(
    Object.entries(previous).map(([key, old]) => {
      const value = now[key];
      return [key, isHash(old) && isHash(value) ? before(value, old) : old];
    }),
  ),
});

/**
 * The steps of a story as an endpoint pinned to the last version before "basil" gets them: older
 * objects, no InvoicePayments. The API goes on answering in the version that its caller asks for.
 * Source: https://docs.stripe.com/changelog/basil/2025-03-31
 */
export function beforeBasil(story: Story): Step[] {
  const steps: Step[] = [];
  let carried: Thing[] = [];
  for (const { event, objects } of story.steps) {
    const { object: now, previous_attributes: previous } = (event as StoryEvent).data;
    carried.push(...objects);
    if (event.type === 'invoice_payment.paid') continue;
    const object = older(story, now) as Thing & Json;
    const old = previous && older(story, before({ ...now }, { ...previous }) as unknown as Thing);
    const data = {
      object,
      ...(old && { previous_attributes: differences({ ...old }, object) ?? {} }),
    };
    const told = { ...(event as StoryEvent), api_version: '2025-02-24.acacia', data };
    steps.push({ event: told, objects: carried });
    carried = [];
  }
  return steps;
}
