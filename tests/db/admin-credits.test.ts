import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { adjustCredits } from '../../functions/ledger/adjust-credits.ts';
import { listEntries } from '../../functions/ledger/list-entries.ts';
import { suspendUser } from '../../functions/ledger/suspend-user.ts';
import { ensureUser } from '../../functions/users/ensure.ts';
import { userView } from '../../functions/users/view.pure.ts';
import { holdCredits, openBooks, send } from '../support/books.ts';
import { invoice, packSession } from '../support/stripe-events.ts';

const { database, ctx, someone } = await openBooks();

const balanceOf = async (id: string) =>
  (
    await database.pool.query<Record<string, number>>(
      `select credits_balance::int as balance, credits_plan::int as plan, credits_bonus::int as bonus,
          credits_purchased::int as purchased
         from users where id = $1`,
      [id],
    )
  ).rows[0];

const suspensionOf = async (externalId: string | null) => {
  const identity = { externalId: externalId ?? '', email: null, emailVerified: false };
  const { user, subscriptions } = await ensureUser(ctx, identity);
  return userView(user, subscriptions, { now: new Date(), mode: 'reset-all' }).suspended;
};

const codesOf = (outcomes: PromiseSettledResult<unknown>[]) =>
  outcomes.map((outcome) =>
    outcome.status === 'fulfilled' ? 'ok' : (outcome.reason as { code?: string } | undefined)?.code,
  );

/** A plan of 1,000 credits, paid so many seconds from now. */
async function payPlan(userId: string, seconds: number): Promise<void> {
  const created = Math.floor(Date.now() / 1000) + seconds;
  const subscription = `sub_${randomUUID()}`;
  const sale = { userId, subscription, price: 'price_plan_starter', periodStart: created };
  const paid = invoice(sale, { created, status_transitions: { paid_at: created } });
  expect(await send(ctx, 'invoice.paid', paid, { created })).toBe('completed');
}

describe('an adjustment', () => {
  test('is posted under its own key, whatever else the fold comes to by then', async () => {
    const { id } = await someone();
    const { job } = await holdCredits(ctx, id, 100);
    // A job's end that is left to the fold, and a sign-up that the fold reads otherwise than before.
    await database.pool.query('update credit_lots set is_encumbered = true where user_id = $1', [
      id,
    ]);
    const run = { p_user: id, p_job: job, p_run: 1 };
    await ctx.db.call('ledger_release', { ...run, p_credits: 40, p_rows: 60 });
    await database.pool.query(
      `update credit_facts set body = body || '{"credits":600}' where user_id = $1 and kind = 'signup'`,
      [id],
    );
    const input = { user: id, amount: 7, reason: 'sorry', idempotencyKey: `odd ${id}` };
    expect(await adjustCredits(ctx, input)).toMatchObject({ replayed: false, balance: 547 });
    expect(await adjustCredits(ctx, input)).toMatchObject({ replayed: true, balance: 547 });
  });

  test('adds bonus credits, takes them back, and shows in the ledger', async () => {
    const user = await someone();
    const added = await adjustCredits(ctx, { user: user.id, amount: 250, reason: 'sorry' });
    expect(added).toMatchObject({
      replayed: false,
      balance: 750,
      entry: {
        kind: 'adjustment',
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

  test('takes bonus credits before purchased ones, and these before those of a plan', async () => {
    const user = await someone();
    await payPlan(user.id, -60);
    const pack = packSession({ userId: user.id, pack: 'small' });
    expect(await send(ctx, 'checkout.session.completed', pack)).toBe('completed');
    await adjustCredits(ctx, { user: user.id, amount: 100, reason: 'r' });
    const { entry } = await adjustCredits(ctx, { user: user.id, amount: -700, reason: 'r' });
    expect(entry.lots).toEqual({ plan: -100, bonus: -100, purchased: -500 });
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

  test('does not reach what a job holds, but what its end has left to the fold', async () => {
    const user = await someone();
    const { job } = await holdCredits(ctx, user.id, 400);
    await expect(
      adjustCredits(ctx, { user: user.id, amount: -101, reason: 'r' }),
    ).rejects.toMatchObject({ code: 'balance_too_low', extra: { balance: 100 } });
    // The end of a job whose user waits for a fold stores what comes back, and no more.
    await database.pool.query('update users set stale_since = now() where id = $1', [user.id]);
    const run = { p_user: user.id, p_job: job, p_run: 1 };
    await ctx.db.call('ledger_release', { ...run, p_credits: 400, p_rows: 0 });
    expect(await balanceOf(user.id)).toMatchObject({ balance: 100 });
    const { balance, entry } = await adjustCredits(ctx, {
      user: user.id,
      amount: -101,
      reason: 'r',
    });
    expect([balance, entry.amount]).toEqual([399, -101]);
  });

  test('outlives a plan from before it that comes late, not one from after it', async () => {
    const user = await someone();
    await adjustCredits(ctx, { user: user.id, amount: 70, reason: 'r' });
    await payPlan(user.id, -60);
    expect(await balanceOf(user.id)).toEqual({
      balance: 1070,
      plan: 1000,
      bonus: 70,
      purchased: 0,
    });
    await payPlan(user.id, 60);
    expect(await balanceOf(user.id)).toEqual({
      balance: 2000,
      plan: 2000,
      bonus: 0,
      purchased: 0,
    });
    // Stripe's clock may be ahead of ours; what an operator takes back now counts all the same.
    expect(await adjustCredits(ctx, { user: user.id, amount: -400, reason: 'r' })).toMatchObject({
      balance: 1600,
    });
  });

  test('beyond what can be counted is refused, up to it is not', async () => {
    const user = await someone();
    const add = (amount: number) => adjustCredits(ctx, { user: user.id, amount, reason: 'r' });
    const most = Number.MAX_SAFE_INTEGER;
    expect((await add(most - 501)).balance).toBe(most - 1);
    await expect(add(2)).rejects.toMatchObject({ code: 'invalid_request' });
    expect((await add(1)).balance).toBe(most);
    expect((await add(-most)).balance).toBe(0);
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
    expect(codesOf(outcomes).filter((code) => code === 'balance_too_low')).toHaveLength(15);
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
    const codes = codesOf(raced);
    expect(codes.filter((code) => code === 'ok')).toHaveLength(10);
    expect(codes.filter((code) => code === 'idempotency_key_reused')).toHaveLength(10);
    const { rows } = await database.pool.query(
      "select 1 from credit_entries where idempotency_key = 'admin:k-3'",
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

describe('a suspension', () => {
  test('holds until it is lifted, and moves no credits', async () => {
    const user = await someone();
    const { suspended } = await suspendUser(ctx, {
      user: user.id,
      action: 'suspend',
      reason: 'stolen card',
    });
    expect(suspended?.reason).toBe('stolen card');
    expect(await suspensionOf(user.external_id)).toEqual(suspended);
    await adjustCredits(ctx, { user: user.id, amount: 1, reason: 'r' });
    expect(await suspensionOf(user.external_id)).toEqual(suspended);
    expect(
      await suspendUser(ctx, { user: user.id, action: 'lift', reason: 'all is well' }),
    ).toMatchObject({ suspended: null });
    expect(await suspensionOf(user.external_id)).toBeNull();
    const { items } = await listEntries(ctx, { userId: user.id, limit: 9 });
    expect(items.map(({ kind }) => kind)).toEqual(['adjustment', 'signup']);
  });

  test('by a dispute of what was spent is lifted for good by an operator', async () => {
    const user = await someone();
    const pack = packSession(
      { userId: user.id, pack: 'small' },
      { id: 'cs_spent', amount_total: 1500 },
    );
    await send(ctx, 'checkout.session.completed', pack);
    await (await holdCredits(ctx, user.id, 1000)).release(0);
    const dispute = { id: 'du_9', amount: 1500, charge: 'ch_9', payment_intent: 'cs_spent' };
    const dispatch = (status: string) =>
      send(ctx, 'charge.dispute.updated', { ...dispute, status });
    expect(await dispatch('needs_response')).toBe('completed');
    expect(await suspensionOf(user.external_id)).toMatchObject({ reason: 'dispute du_9' });
    await suspendUser(ctx, { user: user.id, action: 'lift', reason: 'a mistake of the bank' });
    expect(await suspensionOf(user.external_id)).toBeNull();
    await dispatch('lost');
    expect(await suspensionOf(user.external_id)).toBeNull();
  });

  test('is posted once under a key; the key of another request or user is refused', async () => {
    const [one, other] = [await someone(), await someone()];
    const request = {
      user: one.id,
      action: 'suspend',
      reason: 'r',
      idempotencyKey: 's-1',
    } as const;
    const same = await Promise.all(Array.from({ length: 10 }, () => suspendUser(ctx, request)));
    expect(same.filter(({ replayed }) => !replayed)).toHaveLength(1);
    expect(new Set(same.map(({ suspended }) => suspended?.since)).size).toBe(1);
    for (const changed of [{ action: 'lift' as const }, { reason: 's' }, { user: other.id }])
      await expect(suspendUser(ctx, { ...request, ...changed })).rejects.toMatchObject({
        code: 'idempotency_key_reused',
      });
    const raced = await Promise.allSettled(
      [one, other, one, other].map(({ id }) =>
        suspendUser(ctx, { ...request, user: id, idempotencyKey: 's-2' }),
      ),
    );
    expect(codesOf(raced).filter((code) => code === 'ok')).toHaveLength(2);
    expect(codesOf(raced).filter((code) => code === 'idempotency_key_reused')).toHaveLength(2);
    const winner = raced[0]?.status === 'fulfilled' ? one : other;
    const loser = winner === one ? other : one;
    expect(await suspensionOf(winner.external_id)).not.toBeNull();
    // The first of the two was suspended before.
    expect((await suspensionOf(loser.external_id)) === null).toBe(loser === other);
  });
});
