import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Ctx } from '../../functions/context.ts';
import { bringUpToDate } from '../../functions/ledger/due.ts';
import type { Fact, StateFact } from '../../functions/ledger/facts.pure.ts';
import { refoldUser } from '../../functions/ledger/refold.ts';
import { stepOf } from '../../functions/ledger/step.pure.ts';
import { testCtx } from '../support/ctx.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { customer, pack, paid, pro, second, starter, state, yearly } from '../support/facts.ts';
import { assertBooksHold } from '../support/ledger-invariants.ts';
import { emptyBooks } from '../support/stored-books.ts';
import { directDb } from '../support/stripe-fixture.ts';

/** Stories in which the order of arrival once decided. */
const user = '33333333-3333-4333-8333-333333333333';
let database: TestDatabase;
let ctx: Ctx;
let nowMs = 0;
beforeAll(async () => {
  database = await createDatabase();
  const whole = testCtx(database);
  ctx = { ...whole, db: { ...whole.db, ...directDb(database) }, now: () => new Date(nowMs) };
});
afterAll(() => database.drop());

/** Tells a fact as an event does: by one step if that can say what it does, else by the fold. */
async function post(fact: Fact): Promise<void> {
  const step = stepOf(fact);
  const told = step && { p_user: user, p_fact: fact, p_step: step };
  if (!told || (await ctx.db.call('ledger_step', told)) === 'refold')
    await refoldUser(ctx, { userId: user, tell: () => [fact] });
}

/** What is stored after facts came in this order, by the clock of day `now`; it is their fold. */
async function arrive(facts: readonly Fact[], now: number) {
  await emptyBooks(database.pool);
  await database.pool.query('insert into users (id) values ($1)', [user]);
  nowMs = second(now) * 1000;
  for (const fact of facts) {
    await post(fact);
    await bringUpToDate(ctx, user);
  }
  await assertBooksHold(database.pool);
  const { rows } = await database.pool.query<Record<string, unknown>>(
    `select u.credits_balance as balance, extract(epoch from s.cancel_at)::int as ends
      from users u left join subscriptions s on s.user_id = u.id where u.id = $1`,
    [user],
  );
  return rows[0];
}

describe('two updates of one second', () => {
  /** Told to end with its period, and a moment later to end sooner. */
  const end = second(30);
  const sooner = second(20);
  const content = { status: 'active', priceId: 'price_starter', quantity: 1, trialEnd: null };
  const period = { periodStart: second(0), periodEnd: end };
  const cancelled: StateFact = state('active', starter, 4, {
    since: 0,
    key: 'state:sub_1:4:updated:b',
    cancelAt: end,
    before: { ...content, ...period, cancelAt: null },
  });
  const shortened: StateFact = state('active', starter, 4, {
    since: 0,
    key: 'state:sub_1:4:updated:a',
    cancelAt: sooner,
    before: { ...content, ...period, cancelAt: end },
  });
  const created = state('active', starter, 0, { phase: 'created' });

  test('stand as they tell it, whichever comes first, also before their plan', async () => {
    const plan = paid('in_1', starter, 0);
    for (const facts of [
      [created, plan, cancelled, shortened],
      [created, plan, shortened, cancelled],
      [shortened, cancelled],
      [cancelled, shortened],
    ])
      expect(await arrive(facts, 5)).toMatchObject({ ends: sooner });
  });
});

test('a pack that a month has made expire stays so when it comes after the month', async () => {
  const bought = [
    state('active', yearly, 0, { phase: 'created' }),
    paid('in_1', yearly, 0, { reason: 'create' }),
  ];
  const early = pack('cs_1', 20);
  expect(await arrive([...bought, early], 40)).toMatchObject({ balance: 1000 });
  await arrive(bought, 40);
  await post(early);
  await assertBooksHold(database.pool);
});

test("somebody else's plan stays beside one of the very second, whichever comes or is called first", async () => {
  const known = customer('cus_1');
  const own = paid('in_m', pro, 1, { reason: 'create', customer: 'cus_1' });
  for (const id of ['in_a', 'in_z']) {
    const chosen = { customer: 'cus_b', isChosen: true, subscription: 'sub_b' } as const;
    const theirs = paid(id, starter, 1, { reason: 'create', ...chosen });
    for (const [first, last] of [
      [own, theirs],
      [theirs, own],
    ] as const) {
      await arrive([known, first], 5);
      await post(last);
      await assertBooksHold(database.pool);
      const { rows } = await database.pool.query('select credits_balance as balance from users');
      expect(rows).toEqual([{ balance: 6000 }]);
    }
  }
});

test('an invoice that was told of another subscription leaves nothing of that behind', async () => {
  const told = paid('in_1', starter, 0, { subscription: 'sub_2', decidedAtMs: 2 });
  const first = paid('in_1', starter, 0, { decidedAtMs: 1 });
  await arrive([told, first], 5);
  const { rows } = await database.pool.query(
    'select stripe_subscription_id as id from subscriptions',
  );
  expect(rows).toEqual([{ id: 'sub_1' }]);
});
