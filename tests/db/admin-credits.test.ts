import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Args } from '../../db/call.ts';
import { adjustCredits } from '../../functions/ledger/adjust-credits.ts';
import { listEntries } from '../../functions/ledger/list-entries.ts';
import { ensureUser } from '../../functions/users/ensure.ts';
import { audit } from '../support/audit.ts';
import { testCtx } from '../support/ctx.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { listPrices } from '../support/worker-prices.ts';

let database: TestDatabase;
let ctx: ReturnType<typeof testCtx>;

beforeAll(async () => {
  database = await createDatabase();
  ctx = testCtx(database);
  await listPrices(database.pool);
});
afterAll(async () => {
  await audit(database.pool);
  await database.drop();
});

let people = 0;
/** Somebody with 500 bonus credits. */
async function someone() {
  people += 1;
  const externalId = `person ${people}`;
  const identity = { externalId, email: `person${people}@example.com`, emailVerified: true };
  return (await ensureUser(ctx, identity)).user;
}

const balanceOf = async (id: string) =>
  (
    await database.pool.query<Record<string, number>>(
      `select credits_balance as balance, credits_plan as plan, credits_bonus as bonus, credits_purchased as purchased
         from users where id = $1`,
      [id],
    )
  ).rows[0];

const post = (args: Args<'ledger_post'>) => ctx.db.call('ledger_post', args);

describe('an adjustment', () => {
  test('adds bonus credits, takes them back, and shows in the ledger', async () => {
    const user = await someone();
    const added = await adjustCredits(ctx, { user: user.id, amount: 250, reason: 'sorry' });
    expect(added).toMatchObject({
      replayed: false,
      balance: 750,
      entry: {
        kind: 'admin',
        amount: 250,
        lots: { plan: 0, bonus: 250, purchased: 0 },
        balanceAfter: 750,
        source: { type: 'admin' },
        jobId: null,
      },
    });
    const taken = await adjustCredits(ctx, {
      user: user.external_id as string,
      amount: -700,
      reason: 'too much',
    });
    expect(taken).toMatchObject({ balance: 50, entry: { amount: -700 } });
    expect(await balanceOf(user.id)).toEqual({ balance: 50, plan: 0, bonus: 50, purchased: 0 });
    const { items } = await listEntries(ctx, { userId: user.id, limit: 2 });
    expect(items).toEqual([taken.entry, added.entry]);
  });

  test('takes bonus credits before plan and purchased ones', async () => {
    const user = await someone();
    await post({
      p_user: user.id,
      p_rule: 'ADD',
      p_amount: 300,
      p_kind: 'pack',
      p_business_key: `pack:${user.id}`,
      p_source_type: 'test',
      p_source_id: 't',
      p_lot_kind: 'purchased',
    });
    const { entry } = await adjustCredits(ctx, { user: user.id, amount: -600, reason: 'r' });
    expect(entry.lots).toEqual({ plan: 0, bonus: -500, purchased: -100 });
  });

  test('of more than there is changes nothing and says the balance', async () => {
    const user = await someone();
    await expect(
      adjustCredits(ctx, { user: user.id, amount: -501, reason: 'r', idempotencyKey: 'too-low' }),
    ).rejects.toMatchObject({
      code: 'balance_too_low',
      extra: { requested: 501, balance: 500 },
    });
    // Its key is not spent: the corrected request goes through.
    expect(
      await adjustCredits(ctx, {
        user: user.id,
        amount: -500,
        reason: 'r',
        idempotencyKey: 'too-low',
      }),
    ).toMatchObject({ balance: 0, replayed: false });
  });

  test('outlives a reset from before it that comes late, not one from after it', async () => {
    const user = await someone();
    await adjustCredits(ctx, { user: user.id, amount: 70, reason: 'r' });
    const reset = (key: string, seconds: number) =>
      post({
        p_user: user.id,
        p_rule: 'SET',
        p_amount: 1000,
        p_kind: 'plan_grant',
        p_business_key: `${key}:${user.id}`,
        p_source_type: 'test',
        p_source_id: 't',
        p_at: new Date(Date.now() + seconds * 1000).toISOString(),
      });
    await reset('before', -60);
    expect(await balanceOf(user.id)).toEqual({
      balance: 1070,
      plan: 1000,
      bonus: 70,
      purchased: 0,
    });
    await reset('after', 60);
    expect(await balanceOf(user.id)).toEqual({ balance: 1000, plan: 1000, bonus: 0, purchased: 0 });
    // Stripe's clock may be ahead of ours; what an operator takes back now counts all the same.
    expect(await adjustCredits(ctx, { user: user.id, amount: -400, reason: 'r' })).toMatchObject({
      balance: 600,
    });
  });

  test('beyond what a balance can be is refused, up to it is not', async () => {
    const user = await someone();
    const add = (amount: number) => adjustCredits(ctx, { user: user.id, amount, reason: 'r' });
    await add(1_000_000_000);
    await add(1_000_000_000);
    await expect(add(147_483_148)).rejects.toMatchObject({ code: 'invalid_request' });
    expect((await add(147_483_147)).balance).toBe(2_147_483_647);
    await post({
      p_user: user.id,
      p_rule: 'TAKE_BACK',
      p_amount: 2_147_483_647,
      p_kind: 'admin',
      p_business_key: `undo:${user.id}`,
      p_source_type: 'test',
      p_source_id: 't',
    });
  });

  test('under one key counts once in 20 parallel calls, and each without a key', async () => {
    const user = await someone();
    const adjust = (idempotencyKey?: string) =>
      adjustCredits(ctx, { user: user.id, amount: 10, reason: 'once', idempotencyKey });
    const same = await Promise.all(Array.from({ length: 20 }, () => adjust('k-1')));
    expect(same.filter(({ replayed }) => !replayed)).toHaveLength(1);
    expect(new Set(same.map(({ entry, balance }) => `${entry.id} ${balance}`)).size).toBe(1);
    expect(await balanceOf(user.id)).toMatchObject({ balance: 510 });
    await Promise.all(Array.from({ length: 20 }, () => adjust()));
    expect(await balanceOf(user.id)).toMatchObject({ balance: 710 });
    // The first answer again, whatever happened since.
    expect(await adjust('k-1')).toMatchObject({ balance: 510, replayed: true });
  });

  test('twenty takings at once stop at zero', async () => {
    const user = await someone();
    const outcomes = await Promise.allSettled(
      Array.from({ length: 20 }, () =>
        adjustCredits(ctx, { user: user.id, amount: -100, reason: 'race' }),
      ),
    );
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(5);
    expect(await balanceOf(user.id)).toMatchObject({ balance: 0 });
  });

  test('refuses a key that stands for another amount, reason or user, in a race as well', async () => {
    const [one, other] = [await someone(), await someone()];
    const first = { user: one.id, amount: 5, reason: 'r', idempotencyKey: 'k-2' };
    await adjustCredits(ctx, first);
    for (const changed of [{ amount: 6 }, { amount: -5 }, { reason: 's' }, { user: other.id }])
      await expect(adjustCredits(ctx, { ...first, ...changed })).rejects.toMatchObject({
        code: 'idempotency_key_reused',
      });
    expect(await balanceOf(one.id)).toMatchObject({ balance: 505 });
    expect(await balanceOf(other.id)).toMatchObject({ balance: 500 });

    const raced = await Promise.allSettled(
      Array.from({ length: 20 }, (_, i) =>
        adjustCredits(ctx, {
          user: i % 2 === 0 ? one.id : other.id,
          amount: 7,
          reason: 'r',
          idempotencyKey: 'k-3',
        }),
      ),
    );
    const codes = raced.map((outcome) =>
      outcome.status === 'fulfilled'
        ? 'ok'
        : (outcome.reason as { code?: string } | undefined)?.code,
    );
    expect(codes.filter((code) => code === 'ok')).toHaveLength(10);
    expect(codes.filter((code) => code === 'idempotency_key_reused')).toHaveLength(10);
    const { rows } = await database.pool.query(
      "select 1 from credit_entries where business_key = 'admin:k-3'",
    );
    expect(rows).toHaveLength(1);
  });

  test('of nobody is not found', async () => {
    for (const user of ['nobody', randomUUID(), 'person 0'])
      await expect(adjustCredits(ctx, { user, amount: 1, reason: 'r' })).rejects.toMatchObject({
        code: 'not_found',
      });
  });
});
