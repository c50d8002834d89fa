import { ensureUser } from '../../functions/users/ensure.ts';
import { followLink, hear, paysOurs, seen } from './paying.ts';
import { fixtureUser, type StripeFixture } from './stripe-fixture.ts';

/** The odd ways to pay of docs/whose-it-is.md, by the first words of their rows: what the account comes to. */

const ada = { email: 'ada@example.com' };
const byId = { email: 'stranger@example.com', client_reference_id: fixtureUser };

const customerOf = ({ customer }: { customer: unknown }): string => customer as string;

/** Follows a link for a plan, and hears of it. */
async function linked(of: StripeFixture, link = ada): Promise<string> {
  const customer = customerOf(await followLink(of, 'unlimited', link));
  await hear(of);
  await of.shop.local('/clock', { advance_seconds: 60 });
  return customer;
}

/** Pays for a plan under an address that, or under which, nobody is. */
const paidInVain =
  (link: { email: string; client_reference_id?: string }, before?: string) =>
  async (of: StripeFixture, seed: number): Promise<string> => {
    if (before !== undefined) await of.database.pool.query(before);
    const customer = customerOf(await followLink(of, 'starter', link));
    await hear(of, seed);
    return seen(of, customer);
  };

export const oddWays: Record<string, (of: StripeFixture, seed: number) => Promise<string>> = {
  'Before the sign-up': async (of, seed) => {
    await of.reset({ isSignedUp: false });
    await of.database.pool.query("update users set email = 'maker@example.com'");
    const customer = customerOf(await followLink(of, 'starter', ada));
    await hear(of, seed);
    const before = await seen(of, customer);
    await of.database.pool.query('update users set email = $1', [ada.email]);
    await of.signUp();
    await of.settle();
    return `${before} → ${await seen(of, customer)}`;
  },
  'Under an address that the account has not verified': paidInVain(
    ada,
    'update users set email_verified = false',
  ),
  'Under an address that two accounts share': async (of, seed) => {
    await ensureUser(of.ctx, { externalId: 'other', ...ada, emailVerified: true });
    return paidInVain(ada)(of, seed);
  },
  'Under an address with KELVIN SIGN for a k': paidInVain(
    { email: '\u212Aate@example.com' },
    "update users set email = 'kate@example.com'",
  ),
  'Under a reference that is nobody': paidInVain({
    email: 'stranger@example.com',
    client_reference_id: '10',
  }),
  'Under a reference, with the address of somebody else': async (of, seed) => {
    const other = { externalId: 'other', email: 'other@example.com', emailVerified: true };
    const { user } = await ensureUser(of.ctx, other);
    const came = await paidInVain({ email: other.email, client_reference_id: 'ada' })(of, seed);
    const { rows } = await of.database.pool.query<{ credits: number }>(
      'select credits_balance::int as credits from users where id = $1',
      [user.id],
    );
    return `${came}; the other: ${rows[0]?.credits}`;
  },
  'A stranger first, then the account by our checkout': async (of) => {
    const customer = await linked(of, byId);
    const before = await seen(of, customer);
    await paysOurs(of, 'pack');
    await hear(of);
    return `${before} → ${await seen(of, customer)}`;
  },
  'A stranger, then the operator names the account': async (of, seed) => {
    await of.subscribe(of.shop.prices.pro.id);
    await of.shop.local('/clock', { advance_seconds: 60 });
    const customer = customerOf(await followLink(of, 'starter', byId));
    await hear(of, seed);
    const before = await seen(of, customer);
    await of.stripe.customers.update(customer, { metadata: { user_id: fixtureUser } });
    await hear(of, seed);
    return `${before} → ${await seen(of, customer)}`;
  },
  'A stranger, then the operator names another account': async (of, seed) => {
    const other = { externalId: 'other', email: 'other@example.com', emailVerified: true };
    const { user } = await ensureUser(of.ctx, other);
    const pack = await followLink(of, 'pack', { ...byId, customer_creation: 'always' });
    const customer = customerOf(pack);
    await hear(of, seed);
    const before = await seen(of, customer);
    await of.stripe.customers.update(customer, { metadata: { user_id: user.id } });
    await hear(of, seed);
    return `${before} → ${await seen(of, customer)}`;
  },
  'The customer is deleted, and its subscription ends after that': async (of) => {
    const customer = await linked(of);
    const before = await seen(of, customer);
    const known = new Set((await of.events()).map(({ id }) => id));
    await of.stripe.customers.del(customer);
    const news = (await of.events()).filter(({ id }) => !known.has(id));
    const isGone = ({ type }: { type: string }) => type === 'customer.deleted';
    for (const event of news.filter(isGone)) await of.deliver(event);
    for (const event of news.filter((one) => !isGone(one))) await of.deliver(event);
    await of.settle();
    return `${before} → ${await seen(of, customer)}`;
  },
  'The customer is deleted before anything is heard': async (of) => {
    const customer = customerOf(await followLink(of, 'unlimited', ada));
    await of.stripe.customers.del(customer);
    const events = await of.events();
    for (const event of events.toReversed()) await of.deliver(event);
    await of.settle();
    return seen(of, customer);
  },
};
