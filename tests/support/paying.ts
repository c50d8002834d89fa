import type Stripe from 'stripe';
import { readStanding } from '../../functions/ledger/standing.ts';
import { shuffled } from './books-rules.ts';
import { spent } from './facts.ts';
import { fixtureUser, type StripeFixture } from './stripe-fixture.ts';

/** Plays who pays for an account, by our checkout or by a Payment Link, and says what came of it. */

export const states = {
  'has paid nothing': async () => {},
  'has a customer': async (of: StripeFixture) => void (await knownCustomer(of)),
  subscribes: async (of: StripeFixture) => void (await of.subscribe(of.shop.prices.pro.id)),
  subscribed: async (of: StripeFixture) => {
    const { subscription } = await of.subscribe(of.shop.prices.pro.id);
    await of.stripe.subscriptions.cancel(subscription.id);
  },
  'has two customers': async (of: StripeFixture) => {
    await knownCustomer(of);
    await of.subscribe(of.shop.prices.pro.id);
  },
} satisfies Record<string, (of: StripeFixture) => Promise<void>>;
export type State = keyof typeof states;

const knownCustomer = (of: StripeFixture) =>
  of.stripe.customers.create({ email: 'ada@example.com', metadata: { user_id: fixtureUser } });

type Session = Stripe.Checkout.Session;
type What = 'pack' | 'starter' | 'unlimited';

/** Follows a Payment Link and pays. */
export async function followLink(
  of: StripeFixture,
  what: What,
  { email, ...link }: { email: string; client_reference_id?: string; customer_creation?: 'always' },
): Promise<Session> {
  const { shop, stripe } = of;
  const { session } = await shop.local<{ session: Session }>('/payment-link-session', {
    mode: what === 'pack' ? 'payment' : 'subscription',
    line_items: [{ price: shop.prices[what].id }],
    ...link,
  });
  await shop.press(session.url, { action: 'pay', email });
  return stripe.checkout.sessions.retrieve(session.id);
}

const paysLink =
  (link: Partial<Parameters<typeof followLink>[2]>, always = true) =>
  (of: StripeFixture, what: What) =>
    followLink(of, what, {
      email: 'stranger@example.com',
      ...(what === 'pack' && always && { customer_creation: 'always' }),
      ...link,
    });

/** Ours takes the account's customer, if it has one. */
export async function paysOurs(of: StripeFixture, what: What): Promise<Session> {
  const known = await of.stripe.customers.list({ email: 'ada@example.com' });
  const first = known.data.at(-1);
  const customer = first && { customer: first.id };
  if (what !== 'pack') return (await of.subscribe(of.shop.prices[what].id, customer)).session;
  const { url, id } = await of.openPacks(1, customer ?? { customer_creation: 'always' });
  await of.shop.press(url, { action: 'pay', email: 'ada@example.com' });
  return of.stripe.checkout.sessions.retrieve(id);
}

/** Whoever pays, and how; what they choose names the account. */
export const payers = {
  'our checkout': [paysOurs],
  'a link': [
    paysLink({ email: 'ADA@example.com' }),
    paysLink({ client_reference_id: fixtureUser }),
    paysLink({ client_reference_id: 'ada' }),
  ],
  'a guest': [
    paysLink({ email: 'ada@example.com' }, false),
    paysLink({ client_reference_id: fixtureUser }, false),
    paysLink({ client_reference_id: 'ada' }, false),
  ],
} satisfies Record<string, ((of: StripeFixture, what: What) => Promise<Session>)[]>;
export type Payer = keyof typeof payers;

const DAY = 86_400;

/** The payment intent of what a session sold. */
async function intentOf({ stripe }: StripeFixture, session: Session): Promise<string> {
  if (session.payment_intent !== null) return session.payment_intent as string;
  const invoice = session.invoice as string;
  const [payment] = (await stripe.invoicePayments.list({ invoice })).data;
  return payment?.payment.payment_intent as string;
}

async function chargeOf(of: StripeFixture, session: Session): Promise<string> {
  const intent = await of.stripe.paymentIntents.retrieve(await intentOf(of, session));
  return intent.latest_charge as string;
}

/** Uses credits by a job, at Stripe's present moment. */
async function use(of: StripeFixture, credits: number): Promise<void> {
  await hear(of);
  await of.shop.local('/clock', { advance_seconds: 60 });
  const { now } = await of.shop.local<{ now: number }>('/clock');
  const at = new Date(now * 1000).toISOString();
  await of.tell(spent(crypto.randomUUID(), credits, at));
  await of.shop.local('/clock', { advance_seconds: 60 });
}

/** What is bought, and what becomes of it. */
export const whats = {
  'a pack': ['pack'],
  'a plan': ['starter'],
  'an unlimited plan': ['unlimited'],
  'a plan, renewed': ['starter', (of) => of.shop.advance(32 * DAY)],
  'a plan, refunded': [
    'starter',
    async (of, session) => {
      await of.stripe.refunds.create({ payment_intent: await intentOf(of, session) });
    },
  ],
  'a plan, used and disputed': [
    'starter',
    async (of, session) => {
      await use(of, 300);
      await of.shop.local(`/charges/${await chargeOf(of, session)}/dispute`, {});
    },
  ],
  'a pack, used and disputed': [
    'pack',
    async (of, session) => {
      await use(of, 300);
      await of.shop.local(`/charges/${await chargeOf(of, session)}/dispute`, {});
    },
  ],
} satisfies Record<string, [What, ((of: StripeFixture, session: Session) => Promise<unknown>)?]>;
export type Bought = keyof typeof whats;

/** All that Stripe has told and the account has not heard yet, in any order; then what the cron does. */
export async function hear(of: StripeFixture, seed = 0): Promise<void> {
  const events = await of.events();
  for (const event of seed === 0 ? events : shuffled(events, seed)) await of.deliver(event);
  await of.settle();
}

/** What an operator sees of the account: credits, plan, whose customer it has, and what is open. */
export async function seen(of: StripeFixture, payer: string | null): Promise<string> {
  const { rows } = await of.database.pool.query<Record<string, string | number | null>>(
    `select u.credits_balance as credits, u.suspended_at is not null as suspended,
        u.stripe_customer_id = $2 or exists (select 1 from stripe_customers c
          where c.user_id = u.id and c.customer_id = $2 and not c.is_chosen) as linked,
        (select string_agg(distinct kind, ', ' order by kind) from notices where closed_at is null) as notices,
        (select string_agg(distinct coalesce(error_code, 'none'), ', ') from stripe_events
          where status = 'failed') as failed
      from users u where u.id = $1`,
    [fixtureUser, payer],
  );
  const [account = {}] = rows;
  const { plan } = await readStanding(of.ctx, fixtureUser);
  return [
    Number(account['credits']).toLocaleString('en'),
    plan?.plan ?? 'no plan',
    account['linked'] ? 'linked' : '',
    account['suspended'] ? 'suspended' : '',
    account['notices'] ?? '',
    account['failed'] === null ? '' : `waits: ${account['failed']}`,
  ]
    .filter((word) => word !== '')
    .join('; ');
}

export type Play = { payer: Payer; way: number; bought: Bought; state: State; seed: number };

/** Plays one row of the table. */
export async function play(of: StripeFixture, row: Play): Promise<string> {
  await of.reset();
  await states[row.state](of);
  await of.shop.local('/clock', { advance_seconds: 3600 });
  const [what, then] = whats[row.bought] as [
    What,
    ((of: StripeFixture, session: Session) => Promise<unknown>)?,
  ];
  const pays = payers[row.payer][
    row.way % payers[row.payer].length
  ] as (typeof payers)['our checkout'][0];
  const session = await pays(of, what);
  await of.shop.local('/clock', { advance_seconds: 60 });
  await then?.(of, session);
  await hear(of, row.seed);
  return seen(of, session.customer as string | null);
}
