import type { Price, SubscriptionItem } from '../core/types.ts';
import type { World } from '../core/world.ts';

/** The legacy `plan` that Stripe still shows beside a price. */
const planOf = (price: Price, template: SubscriptionItem['plan']): SubscriptionItem['plan'] => ({
  ...template,
  active: price.active,
  amount: price.unit_amount,
  amount_decimal: price.unit_amount_decimal,
  created: price.created,
  currency: price.currency,
  id: price.id,
  interval: price.recurring?.interval ?? template.interval,
  interval_count: price.recurring?.interval_count ?? template.interval_count,
  metadata: price.metadata,
  nickname: price.nickname,
  product: price.product,
});

/** Gives an item a price. */
export function setPrice(item: SubscriptionItem, price: Price): void {
  item.price = price;
  item.plan = planOf(price, item.plan);
}

/** Makes a subscription item. Its period is set with its subscription's. */
export function createItem(
  world: World,
  input: {
    price: Price;
    quantity: number;
    subscription: string;
    metadata?: Record<string, string>;
  },
): SubscriptionItem {
  const item = world.store.add('subscription_item', world.clock.now(), {
    metadata: { ...input.metadata },
    quantity: input.quantity,
    subscription: input.subscription,
  });
  setPrice(item, input.price);
  return item;
}
