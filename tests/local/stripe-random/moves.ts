import { stories } from '../../support/stripe-stories/index.ts';
import { DAY } from '../stripe-client.ts';
import type { Dice, Fields, Game } from './game.ts';

export type Move = (game: Game, dice: Dice) => Promise<unknown>;

const discountsOf = ({ codes, coupons }: Game, { pick }: Dice) =>
  pick<Fields>(
    {},
    {},
    { discounts: [{ coupon: pick(...coupons) }] },
    { discounts: [{ coupon: coupons[0] }, { coupon: coupons[2] }] },
    { discounts: [{ promotion_code: pick(...codes) }] },
  );
const modeOf = ({ pick }: Dice) => ({ billing_mode: { type: pick('flexible', 'classic') } });
const trialOf = ({ pick }: Dice) =>
  pick<Fields>(
    {},
    {},
    {
      trial_period_days: pick(1, 7, 40),
      trial_settings: {
        end_behavior: { missing_payment_method: pick('cancel', 'create_invoice', 'pause') },
      },
    },
  );
/** Any subscription, or any of those that are active. */
const anySubscription = (game: Game, by: Dice) =>
  game.any('subscriptions', by, { status: by.pick('all', 'active') });
const prorations = ['always_invoice', 'create_prorations', 'none'];
const payments = [
  'allow_incomplete',
  'default_incomplete',
  'error_if_incomplete',
  'pending_if_incomplete',
];

const expansions: Record<string, string[]> = {
  charges: ['balance_transaction', 'customer', 'payment_intent', 'refunds'],
  'checkout/sessions': ['customer', 'invoice', 'line_items', 'payment_intent', 'subscription'],
  customers: ['subscriptions'],
  disputes: ['charge', 'payment_intent'],
  events: [],
  invoice_payments: ['invoice', 'payment.payment_intent'],
  invoices: ['customer', 'discounts', 'payments', 'parent.subscription_details.subscription'],
  payment_intents: ['customer', 'latest_charge'],
  refunds: ['balance_transaction', 'charge', 'payment_intent'],
  subscription_schedules: ['customer', 'subscription'],
  subscriptions: ['customer', 'discounts', 'latest_invoice', 'schedule'],
};

/** What our own API sends for an upgrade. */
const ours = {
  billing_cycle_anchor: { type: 'now' },
  payment_behavior: 'pending_if_incomplete',
  proration_behavior: 'always_invoice',
};

/** What an update may hold, one or two of them together. */
const changes: ((game: Game, by: Dice) => Fields)[] = [
  () => ({ billing_cycle_anchor: { type: 'now' } }),
  (_, { pick }) => ({ cancel_at_period_end: pick(true, false) }),
  (game, { pick }) => ({ cancel_at: game.standIn.now() + pick(1, 20, 400) * DAY }),
  () => ({ cancel_at: '' }),
  (game, { pick }) => ({
    trial_end: pick<string | number>('now', game.standIn.now() + pick(1, 9, 50) * DAY),
  }),
  (game, by) => discountsOf(game, by),
  () => ({ discounts: '' }),
  (_, { pick }) => ({
    pause_collection: pick<unknown>('', {
      behavior: pick('keep_as_draft', 'mark_uncollectible', 'void'),
    }),
  }),
  (game, { pick }) => ({ items: [{ price: pick(...game.prices), quantity: pick(1, 2) }] }),
];

export const moves: Record<string, Move> = {
  customer: async ({ api, post }, { pick }) => {
    const { id } = await api('POST', 'customers', { balance: pick(0, 0, -1500, 800) });
    await post(`/_local/customers/${id}`, { card: 'ok' });
  },
  session: async (game, by) => {
    const { pick } = by;
    const isPack = pick(true, false, false);
    const known = {
      customer: (await game.any('customers', by)).id,
      customer_update: { address: 'auto' },
    };
    const customer = pick<Fields>({}, known);
    const discounts = pick<Fields>(discountsOf(game, by), { allow_promotion_codes: true });
    const data = { ...modeOf(by), ...trialOf(by) };
    await game.api('POST', 'checkout/sessions', {
      ...customer,
      ...(isPack ? {} : { subscription_data: data }),
      ...discounts,
      ...pick<Fields>({}, isPack ? {} : { payment_method_collection: 'if_required' }),
      ...pick<Fields>({}, { automatic_tax: { enabled: true } }),
      line_items: [
        { price: isPack ? game.pack : pick(...game.prices), quantity: pick(1, 1, 3) },
        ...pick([], [{ price: game.pack, quantity: 2 }]),
      ],
      mode: isPack ? 'payment' : 'subscription',
      success_url: 'https://shop.test/ok',
    });
    await moves['press']?.(game, by);
  },
  press: async (game, by) => {
    const { url } = await game.any('checkout/sessions', by, { status: 'open' });
    const typed = by.pick<Fields>({}, {}, { promotion_code: by.pick('LESS', 'FIRST') });
    const action = by.pick('pay', 'pay', 'pay', 'decline', 'async');
    if (typeof url === 'string') await game.post(url, { action, ...typed });
  },
  settle: async (game, by) => {
    const { id } = await game.any('checkout/sessions', by, { status: 'complete' });
    await game.post(`/_local/checkout/${id}/settle`, { outcome: by.pick('succeeded', 'failed') });
  },
  subscribe: async (game, by) =>
    game.api('POST', 'subscriptions', {
      ...modeOf(by),
      ...by.pick<Fields>({}, { payment_behavior: by.pick(...payments.slice(0, 3)) }),
      ...by.pick<Fields>({}, { automatic_tax: { enabled: true } }),
      ...discountsOf(game, by),
      ...trialOf(by),
      customer: (await game.any('customers', by)).id,
      items: [{ price: by.pick(...game.prices), quantity: by.pick(1, 1, 2) }],
    }),
  change: async (game, by) => {
    const { pick } = by;
    const { id } = await anySubscription(game, by);
    await game.api('POST', `subscriptions/${id}`, {
      ...pick(...changes)(game, by),
      ...pick(...changes)(game, by),
      ...pick<Fields>({}, { proration_behavior: pick(...prorations) }),
      ...pick<Fields>({}, { payment_behavior: pick(...payments) }),
    });
  },
  plan: async (game, by) => {
    const { pick } = by;
    const one = await anySubscription(game, by);
    const [item] = (one['items'] as { data: { id: string }[] } | undefined)?.data ?? [];
    const change = pick<Fields>(
      { price: pick(...game.prices) },
      { quantity: pick(1, 2, 3) },
      { price: pick(...game.prices), quantity: pick(0, 1) },
      { deleted: true },
    );
    await game.api('POST', `subscriptions/${one.id}`, {
      items: [{ id: item?.id ?? '', ...change }],
      ...pick<Fields>(
        ours,
        { billing_cycle_anchor: { type: pick('now', 'unchanged') } },
        { payment_behavior: pick(...payments), proration_behavior: pick(...prorations) },
      ),
    });
  },
  cancel: async (game, by) =>
    game.api('DELETE', `subscriptions/${(await anySubscription(game, by)).id}`, {
      invoice_now: by.pick(true, false),
      prorate: by.pick(true, false),
    }),
  resume: async (game, by) => {
    const { id } = await game.any('subscriptions', by, { status: by.pick('paused', 'all') });
    await game.api('POST', `subscriptions/${id}/resume`);
  },
  migrate: async (game, by) =>
    game.api('POST', `subscriptions/${(await anySubscription(game, by)).id}/migrate`, {
      billing_mode: { type: 'flexible' },
    }),
  schedule: async (game, by) => {
    const from_subscription = (await anySubscription(game, by)).id;
    await game.api('POST', 'subscription_schedules', { from_subscription });
    await moves['phases']?.(game, by);
  },
  phases: async (game, by) => {
    const { pick } = by;
    const one = await game.any('subscription_schedules', by);
    const [phase] = (one['phases'] ?? []) as { end_date: number; items: { price: string }[] }[];
    const first = {
      end_date: phase?.end_date,
      items: [{ price: phase?.items[0]?.price, quantity: 1 }],
    };
    const more = (): Fields => ({
      ...discountsOf(game, by),
      items: [{ price: pick(...game.prices), quantity: pick(1, 2) }],
      proration_behavior: pick(...prorations),
      ...pick<Fields>(
        {},
        { duration: { interval: pick('month', 'week'), interval_count: pick(1, 3) } },
      ),
    });
    await game.api('POST', `subscription_schedules/${one.id}`, {
      end_behavior: pick('cancel', 'release'),
      phases: [first, more(), ...pick<Fields[]>([], [more()])],
    });
  },
  unschedule: async (game, by) =>
    game.api(
      'POST',
      `subscription_schedules/${(await game.any('subscription_schedules', by)).id}/${by.pick('release', 'release', 'cancel')}`,
    ),
  portal: async (game, by) => {
    const one = await anySubscription(game, by);
    const { url } = await game.api('POST', 'billing_portal/sessions', {
      configuration: by.pick(...game.portals),
      customer: one['customer'],
    });
    const action = by.pick('switch', 'switch', 'cancel', 'keep');
    const price = by.pick(...game.prices);
    if (typeof url === 'string') await game.post(url, { action, price, subscription: one.id });
  },
  invoice: async (game, by) => {
    const { pick } = by;
    const { id } = await game.any('invoices', by, {
      status: pick('open', 'draft', 'paid', 'uncollectible'),
    });
    const [verb, params] = pick<[string, Fields?]>(
      ['/pay'],
      ['/pay', { paid_out_of_band: true }],
      ['/finalize', pick<Fields>({}, { auto_advance: pick(true, false) })],
      ['/void'],
      ['/mark_uncollectible'],
      ['', { auto_advance: pick(true, false) }],
    );
    await game.api('POST', `invoices/${id}${verb}`, params);
  },
  invoicePage: async (game, by) =>
    game.post(`/invoices/${(await game.any('invoices', by, { status: 'open' })).id}`, {}),
  refund: async (game, by) => {
    const charge = (await game.any('charges', by)).id;
    const refunds = by.pick('pending', 'requires_action', 'succeeded');
    if (by.roll(2) === 0) await game.post(`/_local/charges/${charge}`, { refunds });
    const amount = by.pick<Fields>({}, { amount: 1 + by.roll(3000) });
    await game.api('POST', 'refunds', { charge, ...amount });
  },
  refundSettles: async (game, by) => {
    const { id } = await game.any('refunds', by);
    const status = by.pick('canceled', 'failed', 'pending', 'succeeded');
    await game.post(`/_local/refunds/${id}`, { status });
  },
  dispute: async (game, by) => {
    const { id } = await game.any('charges', by);
    const kind = by.pick('block', 'chargeback', 'chargeback', 'inquiry', 'resolution');
    const amount = by.pick<Fields>({}, { amount: 1 + by.roll(3000) });
    await game.post(`/_local/charges/${id}/dispute`, { kind, ...amount });
  },
  disputeMoves: async (game, by) => {
    const { id } = await game.any('disputes', by);
    const status = by.pick('needs_response', 'won', 'lost', 'warning_closed', 'evidence');
    if (status !== 'evidence') return game.post(`/_local/disputes/${id}`, { status });
    return game.api('POST', `disputes/${id}`, { evidence: { uncategorized_text: 'x' } });
  },
  card: async (game, by) => {
    const { id } = await game.any('customers', by);
    await game.post(`/_local/customers/${id}`, {
      card: by.pick('ok', 'ok', 'decline', 'decline', 'action', 'none'),
    });
  },
  dunning: (game, { pick }) =>
    game.post('/_local/dunning', { afterRetries: pick('cancel', 'past_due', 'unpaid') }),
  tax: (game, { pick }) => game.post('/_local/tax', { percent: pick(0, 8.875, 19, 25) }),
  balance: async (game, by) => {
    const { id } = await game.any('customers', by);
    const amount = by.pick(-3000, -123, 500);
    if (by.roll(3) === 0) return game.api('POST', `customers/${id}`, { balance: amount });
    return game.api('POST', `customers/${id}/balance_transactions`, { amount, currency: 'usd' });
  },
  forget: async (game, by) => {
    const id = by.pick(...game.coupons);
    if (by.roll(3) === 0)
      return game.api('DELETE', `customers/${(await game.any('customers', by)).id}`);
    if (by.roll(2) === 0) return game.api('DELETE', `coupons/${id}`);
    return game.api('POST', `prices/${by.pick(...game.prices)}`, { active: by.pick(true, false) });
  },
  read: async ({ api }, { pick }) => {
    const path = pick(...Object.keys(expansions));
    const asked = pick('', ...(expansions[path] ?? []));
    await api('GET', path, { limit: 50, ...(asked && { 'expand[0]': `data.${asked}` }) });
  },
  renew: async (game, by) => game.post(`/_local/renew/${(await anySubscription(game, by)).id}`, {}),
  wait: ({ post }, { pick }) =>
    post('/_local/clock', {
      advance_seconds: pick(1, 3700, DAY, 4 * DAY, 15 * DAY, 31 * DAY, 93 * DAY, 800 * DAY),
    }),
  tell: async ({ standIn, told }, { pick }) => {
    const tag = `Told${told.count++}x`;
    const story = stories[pick(...Object.keys(stories))]?.({ at: standIn.now() - 35 * DAY, tag });
    for (const step of story?.steps ?? []) standIn.tell(step);
  },
};
