/** What is sold. `npm run stripe:setup` makes it true in Stripe and in `stripe_prices`. */
export type CatalogueItem = {
  kind: 'plan' | 'pack';
  /** Stable name in the API, in Stripe's metadata and in the ledger. */
  key: string;
  name: string;
  /** Credits a period (plan) or a piece (pack); null: unlimited. */
  credits: number | null;
  /** Credits that a free trial's first invoice grants. */
  trialCredits: number;
  interval: 'month' | 'year' | null;
  /** A yearly plan whose credits come anew every month. */
  grantsMonthly: boolean;
  amountCents: number;
  currency: string;
};

const plan = (
  key: string,
  name: string,
  credits: number | null,
  amountCents: number,
  yearly: { grantsMonthly: boolean } | null = null,
): CatalogueItem => ({
  kind: 'plan',
  key,
  name,
  credits,
  trialCredits: 0,
  interval: yearly ? 'year' : 'month',
  grantsMonthly: yearly?.grantsMonthly ?? false,
  amountCents,
  currency: 'usd',
});

const pack = (key: string, name: string, credits: number, amountCents: number): CatalogueItem => ({
  kind: 'pack',
  key,
  name,
  credits,
  trialCredits: 0,
  interval: null,
  grantsMonthly: false,
  amountCents,
  currency: 'usd',
});

export const catalogue: readonly CatalogueItem[] = [
  plan('starter', 'Starter', 1000, 1900),
  plan('growth', 'Growth', 5000, 7900),
  plan('scale', 'Scale', 25_000, 29_900),
  plan('unlimited', 'Unlimited', null, 99_900),
  plan('growth_yearly', 'Growth, yearly', 5000, 79_000, { grantsMonthly: true }),
  pack('small', 'Small pack', 500, 1500),
  pack('medium', 'Medium pack', 2500, 5900),
  pack('large', 'Large pack', 10_000, 19_900),
];

/** Where a price is found again in Stripe, whatever its id. */
export const lookupKeyOf = (item: CatalogueItem): string => `rowloom_${item.kind}_${item.key}`;

/** What a price says about itself in Stripe. */
export const metadataOf = (item: CatalogueItem): Record<string, string> => ({
  rowloom_kind: item.kind,
  rowloom_key: item.key,
  rowloom_credits: item.credits === null ? 'unlimited' : String(item.credits),
  rowloom_trial_credits: String(item.trialCredits),
  ...(item.grantsMonthly && { rowloom_grants: 'monthly' }),
});
