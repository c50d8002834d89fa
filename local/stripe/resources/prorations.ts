import type { InvoiceLine, Period, Price, Subscription } from '../core/types.ts';
import type { World } from '../core/world.ts';
import { describeProration, pricing, type LineDraft } from './invoice-lines.ts';

/** One item before and after a change; null where it is new or gone. */
export type ItemChange = {
  item: string;
  before: { price: Price; quantity: number } | null;
  after: { price: Price; quantity: number } | null;
};
type Side = { price: Price; quantity: number };
type Change = { changes: ItemChange[]; period: Period; now: number };

const share = (period: Period, now: number): number =>
  Math.min(1, Math.max(0, (period.end - now) / Math.max(1, period.end - period.start)));

/** What a line charged after its discounts. */
const netOf = (line: InvoiceLine): number =>
  line.amount - (line.discount_amounts ?? []).reduce((sum, { amount }) => sum + amount, 0);

const itemOf = (line: InvoiceLine) => line.parent?.subscription_item_details;

const isVoid = (world: World, invoice: string | null | undefined): boolean =>
  invoice != null && world.store.find('invoice', invoice)?.status === 'void';

/** Whether unused time of a debit was given back already; by its line or its invoice item. */
const isCredited = (world: World, debit: string): boolean =>
  Object.entries(world.store.notes.drafts).some(
    ([item, draft]) =>
      draft.credits?.debit === debit &&
      !isVoid(world, world.store.find('invoiceitem', item)?.invoice),
  );

/** Debits of an item in the present period that reach past `now`, invoiced or still to be invoiced. */
function debitsOf(world: World, item: string, { now, period: present }: Change) {
  const invoiced = world.store
    .all('line_item')
    .filter((line) => itemOf(line)?.subscription_item === item && !isVoid(world, line.invoice))
    .map((line) => ({
      amount: netOf(line),
      debit: itemOf(line)?.invoice_item ?? line.id,
      invoice: line.invoice,
      line: line.id,
      period: line.period,
    }));
  const waiting = Object.entries(world.store.notes.drafts)
    .filter(([id, draft]) => draft.item === item && !world.store.find('invoiceitem', id)?.invoice)
    .map(([id, { amount, period }]) => ({ amount, debit: id, invoice: null, line: id, period }));
  return [...invoiced, ...waiting].filter(
    ({ amount, debit, period }) =>
      amount > 0 && period.start >= present.start && period.end > now && !isCredited(world, debit),
  );
}

/** The part of a price that the last debit of an item left after its discounts. */
function discounted(world: World, item: string): number {
  const last = world.store
    .all('line_item')
    .findLast((line) => itemOf(line)?.subscription_item === item && line.amount > 0);
  return last ? netOf(last) / last.amount : 1;
}

function draft(world: World, one: Subscription, side: Side, fields: Partial<LineDraft>): LineDraft {
  const [{ price, quantity }, { amount = 0, period = { start: 0, end: 0 } }] = [side, fields];
  return {
    amount,
    description: describeProration(world, price, period.start, amount < 0),
    invoiceItem: null,
    isProration: true,
    item: null,
    period,
    price,
    quantity,
    subscription: one.id,
    ...fields,
  };
}

/**
 * The lines that credit unused time. `flexible` gives back what was debited, one credit a debit, and
 * nothing where nothing was debited; `classic` counts by the present price.
 * Source: https://docs.stripe.com/billing/subscriptions/billing-mode/compare
 */
function creditsOf(world: World, one: Subscription, item: string, side: Side, change: Change) {
  const { now, period } = change;
  if (one.billing_mode.type !== 'flexible') {
    const full = (side.price.unit_amount ?? 0) * side.quantity * discounted(world, item);
    const amount = -Math.round(full * share(period, now));
    return [draft(world, one, side, { amount, item, period: { start: now, end: period.end } })];
  }
  return debitsOf(world, item, change).map(({ amount, debit, invoice, line, period: paid }) =>
    draft(world, one, side, {
      amount: -Math.round(amount * share(paid, now)),
      credits: { debit, invoice, line },
      item,
      period: { start: Math.max(now, paid.start), end: paid.end },
    }),
  );
}

/** The lines that credit unused time and charge the remaining time, to the second. */
export const prorationLines = (world: World, one: Subscription, change: Change): LineDraft[] =>
  change.changes.flatMap(({ item, before, after }) => {
    const rest = { start: change.now, end: change.period.end };
    const full = after && (after.price.unit_amount ?? 0) * after.quantity;
    const amount = Math.round((full ?? 0) * share(change.period, change.now));
    return [
      ...(before ? creditsOf(world, one, item, before, change) : []),
      ...(after ? [draft(world, one, after, { amount, item, period: rest })] : []),
    ];
  });

/** Keeps lines as invoice items until the subscription's next invoice takes them. */
export function addPendingLines(
  world: World,
  subscription: Subscription,
  lines: LineDraft[],
): void {
  for (const line of lines) {
    const { credits } = line;
    const item = world.store.add('invoiceitem', world.clock.now(), {
      amount: line.amount,
      currency: line.price.currency,
      customer: subscription.customer,
      date: world.clock.now(),
      description: line.description,
      net_amount: line.amount,
      parent: {
        subscription_details: {
          subscription: subscription.id,
          ...(line.item !== null && { subscription_item: line.item }),
        },
        type: 'subscription_details',
      },
      period: line.period,
      pricing: pricing(line.price),
      proration: true,
      proration_details: {
        credited_items: credits
          ? credits.invoice === null
            ? { invoice_item: credits.line, type: 'invoice_item' }
            : {
                invoice_line_item_details: {
                  invoice: credits.invoice,
                  invoice_line_items: [credits.line],
                },
                type: 'invoice_line_items',
              }
          : null,
        discount_amounts: [],
      },
      quantity: line.quantity,
      quantity_decimal: String(line.quantity),
    });
    world.store.notes.drafts[item.id] = { ...line, invoiceItem: item.id };
    world.emit('invoiceitem.created', item);
  }
}

/** The lines that wait for the subscription's next invoice. */
export const pendingLines = (world: World, subscription: Subscription): LineDraft[] =>
  world.store
    .all('invoiceitem')
    .filter(
      (item) =>
        item.invoice === null &&
        item.parent?.subscription_details?.subscription === subscription.id,
    )
    .flatMap(({ id }) => world.store.notes.drafts[id] ?? []);
