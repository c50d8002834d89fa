import type { Period, Price, Subscription } from '../core/types.ts';
import type { World } from '../core/world.ts';
import { describeProration, pricing, type LineDraft } from './invoice-lines.ts';

/** One item before and after a change; null where it is new or gone. */
export type ItemChange = {
  item: string;
  before: { price: Price; quantity: number } | null;
  after: { price: Price; quantity: number } | null;
};

const share = (period: Period, now: number): number =>
  Math.min(1, Math.max(0, (period.end - now) / Math.max(1, period.end - period.start)));

/** The lines that credit unused time and charge the remaining time, to the second. */
export function prorationLines(
  world: World,
  subscription: Subscription,
  input: { changes: ItemChange[]; period: Period; now: number },
): LineDraft[] {
  const { changes, period, now } = input;
  const line = (
    item: string,
    side: { price: Price; quantity: number },
    sign: 1 | -1,
  ): LineDraft => ({
    amount: sign * Math.round((side.price.unit_amount ?? 0) * side.quantity * share(period, now)),
    description: describeProration(world, side.price, now, sign < 0),
    invoiceItem: null,
    isProration: true,
    item,
    period: { start: now, end: period.end },
    price: side.price,
    quantity: side.quantity,
    subscription: subscription.id,
  });
  return changes.flatMap(({ item, before, after }) => [
    ...(before ? [line(item, before, -1)] : []),
    ...(after ? [line(item, after, 1)] : []),
  ]);
}

/** Keeps lines as invoice items until the subscription's next invoice takes them. */
export function addPendingLines(
  world: World,
  subscription: Subscription,
  lines: LineDraft[],
): void {
  for (const line of lines) {
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
    .map((item) => world.store.notes.drafts[item.id] as LineDraft);
