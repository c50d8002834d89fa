import { z } from 'zod';
import { daySeconds, hourSeconds } from './core/clock.ts';
import { invalid } from './core/problem.ts';
import type { Charge, Invoice, Price, Session, Subscription } from './core/types.ts';
import type { World } from './core/world.ts';
import { finalizeAndCollect, renew } from './resources/billing-cycle.ts';
import { createSession } from './resources/checkout.ts';
import { press } from './resources/checkout-pay.ts';
import type { NewSession } from './resources/checkout-params.ts';
import { createCustomer } from './resources/customers.ts';
import { openDispute } from './resources/disputes.ts';
import { addIntervals } from './resources/periods.ts';
import { releaseBalance } from './resources/balance.ts';
import { createRefund } from './resources/refunds.ts';
import { endSubscription } from './resources/subscription-end.ts';

const marks = z.record(z.string(), z.string()).default({});
const every = (customers: number) => z.int().min(0).default(customers);

/** What `/_local/past` takes; `{user}` in a mark stands for the customer's user. 0 as `…Every` is never. */
export const pastRules = z
  .strictObject({
    /** How many, where `users` names none. */
    customers: z.int().min(1).max(100_000).optional(),
    /** One customer each, by the ids that the marks are to carry. */
    users: z.array(z.string().min(1)).min(1).max(100_000).optional(),
    /** A monthly price. */
    plan: z.string(),
    /** A price that is paid once. */
    pack: z.string().optional(),
    /** Paid invoices of each subscription. */
    invoices: z.int().min(1).max(120).default(4),
    packEvery: every(4),
    refundEvery: every(50),
    disputeEvery: every(200),
    cancelEvery: every(20),
    /** Metadata, as the shop's own calls would give them. */
    marks: z
      .strictObject({
        customer: marks,
        plan: marks,
        subscription: marks,
        pack: marks,
        reference: z.string().optional(),
      })
      .prefault({}),
  })
  .refine(
    ({ customers, users }) => (customers === undefined) !== (users === undefined),
    'give either "customers" or "users"',
  )
  .refine(
    ({ pack, packEvery }) => pack !== undefined || packEvery === 4 || packEvery === 0,
    '"packEvery" needs a "pack"',
  );
export type Past = z.input<typeof pastRules>;
type Plan = z.output<typeof pastRules>;
type Person = { index: number; user: string; email: string };
const monthly = { interval: 'month', interval_count: 1 } as const;
/** What happens at a unix second. */
type Act = { at: number; run: () => void };

const isNth = (index: number, each: number): boolean => each > 0 && index % each === 0;
const marked = (meta: Record<string, string>, { user }: Person): Record<string, string> =>
  Object.fromEntries(
    Object.entries(meta).map(([key, value]) => [key, value.replaceAll('{user}', user)]),
  );

/** A session as the shop's own call would open it, paid at once. */
function buy(world: World, person: Person, plan: Plan, fields: Partial<NewSession>): Session {
  const { reference } = plan.marks;
  const session = createSession(world, {
    cancel_url: 'https://shop.test/cancel',
    ...(reference !== undefined && {
      client_reference_id: reference.replaceAll('{user}', person.user),
    }),
    line_items: [],
    mode: 'payment',
    success_url: 'https://shop.test/ok?session={CHECKOUT_SESSION_ID}',
    ...fields,
  });
  press(world, session, 'pay', { email: person.email, name: null, promotionCode: null });
  return session;
}

const chargeOf = (world: World, intent: string | null): Charge =>
  world.store.need('charge', world.store.need('payment_intent', intent ?? '').latest_charge ?? '');

function lastCharge(world: World, invoice: string | null): Charge {
  const [payment] = world.store.of('invoice_payment', 'invoice', invoice ?? '');
  return chargeOf(world, payment?.payment.payment_intent ?? null);
}

function subscribe(world: World, person: Person, plan: Plan): Subscription {
  const { customer: meta, plan: own, subscription } = plan.marks;
  const isKnown = Object.keys(meta).length > 0;
  const session = buy(world, person, plan, {
    ...(isKnown && {
      customer: createCustomer(world, { email: person.email, metadata: marked(meta, person) }).id,
    }),
    line_items: [{ price: plan.plan, quantity: 1 }],
    metadata: marked(own, person),
    mode: 'subscription',
    subscription_data: { metadata: marked(subscription, person) },
  });
  return world.store.need('subscription', session.subscription ?? '');
}

/** All that one customer does until `now`. */
function actsOf(world: World, plan: Plan, person: Person, { first, step, now }: Span): Act[] {
  const { index } = person;
  const start = first + Math.floor(index * step);
  let subscription: Subscription | undefined;
  let invoice: Invoice | undefined;
  const acts: Act[] = [
    { at: start, run: () => void (subscription = subscribe(world, person, plan)) },
  ];
  for (let month = 1; month < plan.invoices; month += 1) {
    const at = addIntervals(start, monthly, month);
    acts.push(
      { at, run: () => void (invoice = subscription && renew(world, subscription)) },
      { at: at + hourSeconds, run: () => invoice && finalizeAndCollect(world, invoice) },
    );
  }
  const last = (acts.at(-1)?.at ?? start) + hourSeconds;
  const after = (hours: number): number => Math.min(now, last + hours * hourSeconds);
  const onCharge = (run: (charge: Charge) => void) => (): void =>
    run(lastCharge(world, subscription?.latest_invoice ?? null));
  const add = (each: number, at: number, run: () => void): void => {
    if (isNth(index, each)) acts.push({ at, run });
  };
  const isDisputed = isNth(index, plan.disputeEvery);
  if (plan.pack !== undefined) add(plan.packEvery, after(1), () => buyPack(world, person, plan));
  if (!isDisputed)
    add(
      plan.refundEvery,
      after(2),
      onCharge(({ id, amount }) =>
        createRefund(world, {
          charge: id,
          amount: index % 3 === 0 ? amount : Math.ceil(amount / 4),
        }),
      ),
    );
  // So late that nobody has lost it for want of an answer yet.
  add(
    plan.disputeEvery,
    Math.max(after(3), now - 2 * daySeconds),
    onCharge((charge) => openDispute(world, charge, { kind: 'chargeback' })),
  );
  if (!isDisputed && subscriptionEnds(plan, index))
    acts.push({
      at: after(4),
      run: () => subscription && endSubscription(world, subscription, 'cancellation_requested'),
    });
  return acts;
}

const subscriptionEnds = ({ cancelEvery }: Plan, index: number): boolean =>
  cancelEvery > 0 && index % cancelEvery === cancelEvery - 1;

const buyPack = (world: World, person: Person, plan: Plan): Session =>
  buy(world, person, plan, {
    line_items: [{ price: plan.pack ?? '', quantity: 1 }],
    metadata: marked(plan.marks.pack, person),
    payment_intent_data: { metadata: marked(plan.marks.pack, person) },
  });

type Span = { first: number; step: number; now: number };

/** Subscriptions begin within three weeks, so long ago that each has just its invoices until now. */
function spanOf(world: World, price: Price, plan: Plan, count: number): Span {
  const now = world.clock.now();
  if (price.recurring?.interval !== 'month' || price.recurring.interval_count !== 1)
    throw invalid('plan must be a monthly price.', 'plan');
  const first = addIntervals(now, monthly, -plan.invoices) + 3 * daySeconds + 3 * hourSeconds;
  return { first, step: (21 * daySeconds) / count, now };
}

/**
 * Makes customers with a past: paid subscriptions, packs bought by guests, refunds and disputes, played
 * in the order of time as everything is, but without events. Meant for a stand-in that has sold nothing
 * yet: lists are in the order in which things came to be.
 */
export function makePast(world: World, given: Past): { customers: number; steps: number } {
  const plan = pastRules.parse(given);
  const price = world.store.need('price', plan.plan, 'plan');
  if (plan.pack !== undefined) world.store.need('price', plan.pack, 'pack');
  const users =
    plan.users ?? Array.from({ length: plan.customers ?? 0 }, (_, index) => `user_${index}`);
  const span = spanOf(world, price, plan, users.length);
  const acts = users
    .flatMap((user, index) =>
      actsOf(world, plan, { index, user, email: `user${index}@example.com` }, span),
    )
    .sort((a, b) => a.at - b.at);
  world.silently(() => {
    for (const { at, run } of acts) world.clock.during(at, run);
  });
  releaseBalance(world);
  return { customers: users.length, steps: acts.length };
}
