import { joinFacts, type Fact } from '../../../functions/ledger/facts.pure.ts';
import { read, readEvent } from '../../../functions/stripe/read-event.pure.ts';
import type {
  CataloguePrice,
  Knowledge,
  Reading,
  StripeEvent,
} from '../../../functions/stripe/reading.pure.ts';
import { event, type Story } from '../../support/stripe-stories/index.ts';

export type Json = Record<string, unknown>;

/** The moment at which the tests' events are created, unix seconds. */
export const AT = 1_790_000_000;
export const DAY = 86_400;
export const DECIDED = 1_790_000_123_456;

const plan = (key: string, fields: Partial<CataloguePrice> = {}): CataloguePrice => ({
  priceId: `price_${key}`,
  kind: 'plan',
  key,
  credits: 1000,
  trialCredits: 100,
  interval: 'month',
  grantsMonthly: false,
  amountCents: 1900,
  currency: 'usd',
  productId: `product_${key}`,
  onSale: true,
  ...fields,
});
const pack = (key: string, fields: Partial<CataloguePrice> = {}): CataloguePrice =>
  plan(key, { kind: 'pack', credits: 500, trialCredits: 0, interval: null, ...fields });

const catalogue = [
  plan('starter'),
  plan('growth', { credits: 5000, amountCents: 7900 }),
  plan('yearly', { interval: 'year', grantsMonthly: true, amountCents: 19_000 }),
  plan('unlimited', { credits: null, amountCents: 29_900 }),
  plan('free', { credits: 10, amountCents: 0 }),
  pack('small_before', { key: 'small', credits: 400, onSale: false }),
  pack('small'),
  pack('large', { credits: 3000 }),
];

export const knowledge: Knowledge = {
  prices: new Map(catalogue.map((price) => [price.priceId, price])),
  mode: 'keep-purchased',
  graceDays: 7,
  decidedAtMs: DECIDED,
  livemode: null,
};

/** The marked prices of a story. */
export const knowledgeOf = (story: Story): Knowledge => ({
  ...knowledge,
  prices: new Map(
    story
      .all('price')
      .filter(({ metadata }) => metadata['rowloom_kind'] !== undefined)
      .map(({ id, metadata, recurring, unit_amount }) => {
        const key = metadata['rowloom_key'] ?? '';
        const credits = Number(metadata['rowloom_credits']);
        const amountCents = unit_amount ?? 0;
        const given = { priceId: id, credits, amountCents };
        return [id, recurring ? plan(key, given) : pack(key, given)];
      }),
  ),
});

type Given = { created?: number; previous?: Json; apiVersion?: string };

export function eventOf(type: string, object: object, given: Given = {}): StripeEvent {
  const read = readEvent(event(type, object, { created: AT, ...given }));
  if (!read) throw new Error('This is no event.');
  return read;
}

export const readOf = (type: string, object: object, given: Given & { knows?: Knowledge } = {}) =>
  read(eventOf(type, object, given), given.knows ?? knowledge);

type Told = Extract<Reading, { facts: Fact[] }>;

/** What was told. @throws Error where the event was skipped or failed */
export function told(reading: Reading): Told {
  if (!('facts' in reading)) throw new Error(`Nothing was told: ${JSON.stringify(reading)}`);
  return reading;
}

/** The one fact that was told. @throws Error where there is another number of them */
export function factOf(reading: Reading): Fact {
  const [fact, ...others] = told(reading).facts;
  if (!fact || others.length > 0) throw new Error('There is not exactly one fact.');
  return fact;
}

/** The facts of many readings, each once. */
export function joined(readings: Reading[]): Fact[] {
  const facts = new Map<string, Fact>();
  for (const reading of readings)
    for (const fact of 'facts' in reading ? reading.facts : []) {
      const known = facts.get(fact.key);
      facts.set(fact.key, known ? joinFacts(known, fact) : fact);
    }
  return [...facts.values()];
}

type Line = {
  price?: string;
  amount: number;
  quantity?: number | null;
  proration?: boolean;
  credited?: boolean;
  start?: number;
  end?: number;
  /** Billed once, or an item that was pending: it stems from an invoice item. */
  isPending?: boolean;
};

/** A line in today's shape. */
export function line({ price, amount, quantity = 1, ...given }: Line): Json {
  const { proration = false, credited = false, start = AT, end = AT + 30 * DAY } = given;
  const credited_items = credited ? { invoice: 'in_old', invoice_line_items: ['il_old'] } : null;
  const details = { proration, proration_details: { credited_items } };
  const type = given.isPending ? 'invoice_item_details' : 'subscription_item_details';
  const none = { invoice_item_details: null, subscription_item_details: null };
  return {
    object: 'line_item',
    amount,
    quantity,
    period: { start, end },
    pricing: price === undefined ? null : { price_details: { price, product: 'prod_x' } },
    parent: { ...none, type, [type]: details },
  };
}

/** A line as it was before "basil". */
export const olderLine = ({ price, amount, quantity = 1, ...given }: Line): Json => ({
  object: 'line_item',
  amount,
  quantity,
  period: { start: given.start ?? AT, end: given.end ?? AT + 30 * DAY },
  price: { id: price, object: 'price' },
  proration: given.proration ?? false,
});

const invoiceFields = {
  id: 'in_1',
  object: 'invoice',
  status: 'paid',
  billing_reason: 'subscription_cycle',
  customer: 'cus_1',
  customer_email: 'ada@example.com',
  total: 1900,
  metadata: {},
  status_transitions: { paid_at: AT - 60, voided_at: null, marked_uncollectible_at: null },
};
const list = (data: Json[], has_more = false): Json => ({ object: 'list', data, has_more });

/** A paid invoice of `sub_1` in today's shape. */
export const invoice = (lines: Json[], fields: Json = {}): Json => ({
  ...invoiceFields,
  lines: list(lines),
  parent: {
    type: 'subscription_details',
    subscription_details: { subscription: 'sub_1', metadata: { user_id: 'user_1' } },
  },
  ...fields,
});

/** The same as it was before "basil". */
export const olderInvoice = (lines: Json[], fields: Json = {}): Json => ({
  ...invoiceFields,
  lines: list(lines),
  subscription: 'sub_1',
  subscription_details: { metadata: { user_id: 'user_1' } },
  charge: 'ch_1',
  payment_intent: 'pi_1',
  ...fields,
});
