import templates from '../../../local/stripe/objects.json' with { type: 'json' };
import type { Kinds, Price, Role, Story } from './story.ts';

type Given = {
  /** In the currency's smallest unit. */
  amount: number;
  interval?: 'month' | 'year';
  metered?: boolean;
  currency?: string;
  name?: string;
  metadata?: Record<string, string>;
};

/** A price with its product. Source: https://docs.stripe.com/api/prices/object */
export function makePrice(story: Story, given: Given): Price {
  const { amount, interval, metadata = {}, name = 'Something else', metered = false } = given;
  const recurring: Price['recurring'] = interval
    ? {
        interval,
        interval_count: 1,
        meter: metered ? story.id('mtr_test_') : null,
        trial_period_days: null,
        usage_type: metered ? 'metered' : 'licensed',
      }
    : null;
  return story.make('price', {
    currency: given.currency ?? story.cast.currency ?? 'usd',
    metadata,
    product: story.make('product', { name, updated: story.at }).id,
    recurring,
    type: recurring ? 'recurring' : 'one_time',
    unit_amount: amount,
    unit_amount_decimal: String(amount),
  });
}

const sold = (kind: 'plan' | 'pack', key: string, credits: number | 'unlimited') => ({
  name: key,
  metadata: { rowloom_kind: kind, rowloom_key: key, rowloom_credits: String(credits) },
});
const catalogue = {
  plan: { amount: 1900, interval: 'month', ...sold('plan', 'starter', 1000) },
  bigger: { amount: 7900, interval: 'month', ...sold('plan', 'growth', 5000) },
  pack: { amount: 1500, ...sold('pack', 'small', 500) },
} as const;

/** A price that we sell: the cast's own, or one like it. */
export function ourPrice(story: Story, role: Role): Price {
  const given = story.cast.prices?.[role];
  const known = story
    .all('price')
    .find(({ id, nickname }) => (given?.id ?? role) === (given ? id : nickname));
  if (known) return known;
  if (given) return story.make('price', JSON.parse(JSON.stringify(given)) as Price);
  const price = makePrice(story, catalogue[role]);
  price.nickname = role;
  return price;
}

/** The legacy `plan` that still stands beside an item's price. */
export const legacyPlan = (price: Price): Kinds['subscription_item']['plan'] => ({
  ...(templates.subscription_item.plan as unknown as Kinds['subscription_item']['plan']),
  amount: price.unit_amount,
  amount_decimal: price.unit_amount_decimal,
  created: price.created,
  currency: price.currency,
  id: price.id,
  interval: price.recurring?.interval ?? 'month',
  livemode: price.livemode,
  metadata: price.metadata,
  meter: price.recurring?.meter ?? null,
  nickname: price.nickname,
  product: price.product,
  usage_type: price.recurring?.usage_type ?? 'licensed',
});
