import { invalid, missing, missingParameter } from '../core/problem.ts';
import { bool, hash, list, metadata, natural, str } from '../core/params.ts';
import type { Meta, Price, Subscription } from '../core/types.ts';
import type { World } from '../core/world.ts';
import { mergeMetadata } from './metadata.ts';
import type { ItemChange } from './prorations.ts';
import { createItem, setPrice } from './subscription-items.ts';
import { checkCurrency, checkItems, quantityOf } from './subscriptions.ts';

/** Items of an update. Source: https://docs.stripe.com/api/subscriptions/update */
const itemRules = hash({ deleted: bool, id: str, metadata, price: str, quantity: natural });
type ItemParams = ReturnType<typeof itemRules.read>;
export const itemList = list(itemRules, 20);

/** One item as it will be; `id` is null for an item to be made. */
type Slot = { id: string | null; price: Price; quantity: number; metadata: Meta; isGone: boolean };
/** What an update makes of a subscription's items. */
export type ItemPlan = {
  slots: Slot[];
  /** Whether something is billed otherwise. */
  isChanged: boolean;
  /** Whether metadata differ. */
  isRelabelled: boolean;
  isNewInterval: boolean;
};

const slotsOf = (subscription: Subscription): Slot[] =>
  subscription.items.data.map((item) => ({
    id: item.id,
    isGone: false,
    metadata: item.metadata,
    price: item.price,
    quantity: quantityOf(item),
  }));

/** A price that can be sold. @throws Problem 400 for one that is archived or never was. */
export function readPrice(world: World, id: string, param: string): Price {
  const price = world.store.need('price', id, param);
  if (!price.active)
    throw invalid('The price specified is inactive. This field only accepts active prices.', {
      param,
    });
  // Archiving a product leaves its prices active. Source: github.com/stripe/stripe-node/issues/2131
  if (world.store.find('product', price.product)?.active === false)
    throw invalid(
      `Price \`${id}\` is not available to be purchased because its product is not active.`,
      { param },
    );
  return price;
}

function applyEntry(
  world: World,
  slots: Slot[],
  entry: ItemParams,
  name: string,
  mayBeArchived: boolean,
): void {
  const read = (id: string): Price =>
    mayBeArchived ? world.store.need('price', id) : readPrice(world, id, `${name}[price]`);
  if (entry.id !== undefined) {
    const slot = slots.find(({ id }) => id === entry.id);
    if (!slot) throw missing('subscription_item', entry.id, `${name}[id]`);
    if (entry.price !== undefined) slot.price = read(entry.price);
    slot.quantity = entry.quantity ?? slot.quantity;
    slot.metadata = mergeMetadata(slot.metadata, entry.metadata);
    slot.isGone = entry.deleted ?? false;
    return;
  }
  if (entry.price === undefined) throw missingParameter(`${name}[price]`);
  const price = read(entry.price);
  slots.push({
    id: null,
    isGone: false,
    metadata: mergeMetadata({}, entry.metadata),
    price,
    quantity: entry.quantity ?? 1,
  });
}

/** Works out the items after an update, changing nothing yet. An item without an id is added. */
export function planItems(
  world: World,
  subscription: Subscription,
  entries: ItemParams[] | undefined,
  mayBeArchived = false,
): ItemPlan {
  const before = slotsOf(subscription);
  const slots = slotsOf(subscription);
  for (const [index, entry] of (entries ?? []).entries())
    applyEntry(world, slots, entry, `items[${index}]`, mayBeArchived);
  const kept = slots.filter(({ isGone }) => !isGone);
  if (kept.length === 0) throw invalid('A subscription must have at least one active plan.');
  checkItems(kept.map(({ price }) => price));
  checkCurrency(
    subscription,
    kept.map(({ price }) => price),
  );
  const [old, now] = [before[0]?.price.recurring, kept[0]?.price.recurring];
  const isNewInterval =
    old?.interval !== now?.interval || old?.interval_count !== now?.interval_count;
  const isChanged =
    kept.length !== before.length ||
    kept.some((slot) => {
      const was = before.find(({ id }) => id === slot.id);
      return was?.price.id !== slot.price.id || quantityOf(was) !== slot.quantity;
    });
  const labels = (all: Slot[]): string => JSON.stringify(all.map(({ metadata: meta }) => meta));
  return { slots, isChanged, isNewInterval, isRelabelled: labels(slots) !== labels(before) };
}

/** Gives new slots their items, which are kept only once `applyPlan` runs. */
export function changesOf(world: World, subscription: Subscription, plan: ItemPlan): ItemChange[] {
  const changes: ItemChange[] = [];
  for (const slot of plan.slots) {
    const was = subscription.items.data.find(({ id }) => id === slot.id);
    slot.id ??= createItem(world, { ...slot, subscription: subscription.id }).id;
    const isSame = was?.price.id === slot.price.id && quantityOf(was) === slot.quantity;
    if (isSame && !slot.isGone) continue;
    changes.push({
      after: slot.isGone ? null : { price: slot.price, quantity: slot.quantity },
      before: was ? { price: was.price, quantity: quantityOf(was) } : null,
      item: slot.id,
    });
  }
  return changes;
}

/** The subscription's items after the plan; kept ones keep their id and period. */
export function plannedItems(world: World, subscription: Subscription, plan: ItemPlan) {
  const [first] = subscription.items.data;
  return plan.slots
    .filter(({ isGone }) => !isGone)
    .map((slot) => {
      const kept = subscription.items.data.find(({ id }) => id === slot.id);
      const item = structuredClone(kept ?? world.store.need('subscription_item', slot.id ?? ''));
      setPrice(item, slot.price);
      item.quantity = slot.quantity;
      item.metadata = slot.metadata;
      item.current_period_start = first?.current_period_start ?? 0;
      item.current_period_end = first?.current_period_end ?? 0;
      return item;
    });
}
