import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { audit } from '../support/audit.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createDatabase();
});
afterAll(() => database.drop());

type Posting = {
  rule: string;
  amount: number | null;
  key: string;
  kind?: string;
  lotKind?: string;
  ref?: string;
  settle?: number;
  keepPurchased?: boolean;
  source?: string;
};
type Outcome = { posted: boolean; amount: number; balance: number };

async function newUser(): Promise<string> {
  const { rows } = await database.pool.query<{ id: string }>(
    'insert into users default values returning id',
  );
  return rows[0]?.id ?? '';
}

const kinds: Record<string, string> = {
  SET: 'plan_grant',
  ADD: 'pack',
  HOLD: 'hold',
  RELEASE: 'release',
  TAKE_BACK: 'take_back',
  RECORD: 'usage',
};

async function post(user: string, posting: Posting): Promise<Outcome> {
  const { rows } = await database.pool.query<Outcome>(
    `select posted, amount, balance from rowloom.ledger_post($1, $2, $3, $4, $5, 'test', $6,
       p_lot_kind => $7, p_ref => $8, p_settle => $9, p_keep_purchased => $10)`,
    [
      user,
      posting.rule,
      posting.amount,
      posting.kind ?? kinds[posting.rule],
      posting.key,
      posting.source ?? posting.key,
      posting.lotKind ?? 'purchased',
      posting.ref ?? null,
      posting.settle ?? 0,
      posting.keepPurchased ?? false,
    ],
  );
  return rows[0] as Outcome;
}

async function lots(user: string) {
  const { rows } = await database.pool.query<Record<string, number>>(
    `select credits_plan as plan, credits_bonus as bonus, credits_purchased as purchased, credits_held as held
       from users where id = $1`,
    [user],
  );
  return rows[0];
}

/** A user with 100 plan, 50 bonus and 30 purchased credits. */
async function funded(): Promise<string> {
  const user = await newUser();
  await post(user, { rule: 'SET', amount: 100, key: `plan:${user}` });
  await post(user, {
    rule: 'ADD',
    amount: 50,
    key: `bonus:${user}`,
    lotKind: 'bonus',
    kind: 'signup',
  });
  await post(user, { rule: 'ADD', amount: 30, key: `pack:${user}` });
  return user;
}

describe('rules', () => {
  test('the same business key again changes nothing, whatever it asks', async () => {
    const user = await newUser();
    expect(await post(user, { rule: 'ADD', amount: 10, key: `once:${user}` })).toMatchObject({
      posted: true,
    });
    expect(await post(user, { rule: 'ADD', amount: 99, key: `once:${user}` })).toMatchObject({
      posted: false,
      balance: 10,
    });
    expect(await lots(user)).toMatchObject({ purchased: 10 });
  });

  test('SET makes the whole balance the plan, or leaves what was purchased', async () => {
    const all = await funded();
    await post(all, { rule: 'SET', amount: 200, key: `s:${all}` });
    expect(await lots(all)).toEqual({ plan: 200, bonus: 0, purchased: 0, held: 0 });
    const keep = await funded();
    await post(keep, { rule: 'SET', amount: 200, key: `s:${keep}`, keepPurchased: true });
    expect(await lots(keep)).toEqual({ plan: 200, bonus: 0, purchased: 30, held: 0 });
  });

  test('HOLD takes plan, then bonus, then purchased', async () => {
    const user = await funded();
    await post(user, { rule: 'HOLD', amount: 160, key: `h:${user}` });
    expect(await lots(user)).toEqual({ plan: 0, bonus: 0, purchased: 20, held: 160 });
  });

  test('HOLD beyond the balance is refused and leaves everything as it was', async () => {
    const user = await funded();
    await expect(post(user, { rule: 'HOLD', amount: 181, key: `h:${user}` })).rejects.toMatchObject(
      {
        code: 'RL402',
        message: 'insufficient_credits',
      },
    );
    expect(await lots(user)).toEqual({ plan: 100, bonus: 50, purchased: 30, held: 0 });
  });

  test('RELEASE gives back to the lots they came from, last taken first', async () => {
    const user = await funded();
    await post(user, { rule: 'HOLD', amount: 160, key: `h:${user}` });
    await post(user, {
      rule: 'RELEASE',
      amount: 20,
      key: `r:${user}`,
      ref: `h:${user}`,
      settle: 160,
    });
    expect(await lots(user)).toEqual({ plan: 0, bonus: 10, purchased: 30, held: 0 });
  });

  test('a release cannot launder plan credits through a renewal', async () => {
    const user = await funded();
    await post(user, { rule: 'HOLD', amount: 170, key: `h:${user}` });
    await post(user, { rule: 'SET', amount: 100, key: `renewal:${user}` });
    await post(user, {
      rule: 'RELEASE',
      amount: 170,
      key: `r:${user}`,
      ref: `h:${user}`,
      settle: 170,
    });
    // 100 plan credits of the old period lapse; bonus and purchased come back to their lots.
    expect(await lots(user)).toEqual({ plan: 100, bonus: 50, purchased: 20, held: 0 });
    const { rows } = await database.pool.query<{ details: unknown }>(
      'select details from credit_entries where business_key = $1',
      [`r:${user}`],
    );
    expect(rows[0]?.details).toMatchObject({ lapsed: 100 });
  });

  test('RELEASE of more than was held is refused', async () => {
    const user = await funded();
    await post(user, { rule: 'HOLD', amount: 10, key: `h:${user}` });
    await expect(
      post(user, { rule: 'RELEASE', amount: 11, key: `r:${user}`, ref: `h:${user}`, settle: 10 }),
    ).rejects.toMatchObject({ message: 'release_exceeds_hold' });
  });

  test('TAKE_BACK takes the refunded lot first, floors at zero and records the shortfall', async () => {
    const user = await funded();
    await post(user, { rule: 'ADD', amount: 40, key: `p2:${user}`, source: 'payment-2' });
    await post(user, { rule: 'TAKE_BACK', amount: 40, key: `t:${user}`, ref: 'payment-2' });
    expect(await lots(user)).toEqual({ plan: 100, bonus: 50, purchased: 30, held: 0 });
    await post(user, { rule: 'TAKE_BACK', amount: 500, key: `t2:${user}`, ref: 'gone' });
    expect(await lots(user)).toEqual({ plan: 0, bonus: 0, purchased: 0, held: 0 });
    const { rows } = await database.pool.query<{ details: unknown }>(
      'select details from credit_entries where business_key = $1',
      [`t2:${user}`],
    );
    expect(rows[0]?.details).toMatchObject({ shortfall: 320 });
  });

  test('a negative amount and an unknown user are refused', async () => {
    const user = await newUser();
    await expect(post(user, { rule: 'ADD', amount: -1, key: `n:${user}` })).rejects.toMatchObject({
      message: 'negative_amount',
    });
    await expect(
      post('00000000-0000-0000-0000-000000000000', { rule: 'ADD', amount: 1, key: 'x' }),
    ).rejects.toMatchObject({ message: 'unknown_user' });
  });

  test('what was written cannot be rewritten', async () => {
    await funded();
    for (const statement of [
      'update credit_entries set amount = amount',
      'delete from credit_entries',
      'truncate credit_movements',
    ])
      await expect(database.pool.query(statement)).rejects.toMatchObject({
        message: 'ledger_append_only',
      });
  });
});

test('any sequence of postings leaves books that balance', async () => {
  const step = fc.record({
    rule: fc.constantFrom('SET', 'ADD', 'HOLD', 'RELEASE', 'TAKE_BACK'),
    amount: fc.integer({ min: 0, max: 300 }),
    lotKind: fc.constantFrom('plan', 'bonus', 'purchased'),
    keepPurchased: fc.boolean(),
    pick: fc.nat(20),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 25 }), async (steps) => {
      const user = await newUser();
      const holds: { key: string; amount: number }[] = [];
      for (const [i, { rule, amount, lotKind, keepPurchased, pick }] of steps.entries()) {
        const key = `${i}:${user}`;
        if (rule === 'RELEASE') {
          const [hold] = holds.splice(pick % Math.max(1, holds.length), 1);
          if (!hold) continue;
          const back = amount % (hold.amount + 1);
          await post(user, { rule, amount: back, key, ref: hold.key, settle: hold.amount });
        } else {
          const outcome = await post(user, { rule, amount, key, lotKind, keepPurchased }).catch(
            (error: { message: string }) => error.message,
          );
          if (rule === 'HOLD' && typeof outcome === 'object') holds.push({ key, amount });
        }
      }
      const state = await lots(user);
      expect(state?.['held']).toBe(holds.reduce((sum, hold) => sum + hold.amount, 0));
    }),
    { numRuns: 60 },
  );
  await audit(database.pool, { holds: false });
}, 60_000);

test('100 writers, 20 at a time: every running balance chains and nothing is lost', async () => {
  const user = await newUser();
  await post(user, { rule: 'ADD', amount: 500, key: `start:${user}` });
  const work = Array.from({ length: 100 }, (_, i) => async () => {
    const key = `w${i}:${user}`;
    if (i % 4 === 0) return post(user, { rule: 'ADD', amount: 7, key });
    if (i % 4 === 1) return post(user, { rule: 'HOLD', amount: 3, key });
    // The same key from two writers: one of them counts.
    if (i % 4 === 2) return post(user, { rule: 'ADD', amount: 11, key: `pair${i}:${user}` });
    return post(user, { rule: 'ADD', amount: 11, key: `pair${i - 1}:${user}` });
  });
  const runners = Array.from({ length: 20 }, async () => {
    for (let next = work.pop(); next; next = work.pop()) await next();
  });
  await Promise.all(runners);
  expect(await lots(user)).toEqual({
    plan: 0,
    bonus: 0,
    purchased: 500 + 25 * 7 - 25 * 3 + 25 * 11,
    held: 75,
  });
  await audit(database.pool, { holds: false });
});
