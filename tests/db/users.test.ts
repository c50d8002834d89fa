import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Ctx } from '../../functions/context.ts';
import { adjustCredits } from '../../functions/ledger/adjust-credits.ts';
import { listEntries } from '../../functions/ledger/list-entries.ts';
import { ensureUser } from '../../functions/users/ensure.ts';
import { userView } from '../../functions/users/view.pure.ts';
import { assertBooksHold } from '../support/ledger-invariants.ts';
import { testCtx } from '../support/ctx.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';

let database: TestDatabase;
let ctx: Ctx;
beforeAll(async () => {
  database = await createDatabase();
  ctx = testCtx(database);
});
afterAll(async () => {
  await assertBooksHold(database.pool);
  await database.drop();
});

const verified = (externalId: string, email: string) => ({
  externalId,
  email,
  emailVerified: true,
});

describe('a first call', () => {
  test('makes the user and grants the sign-up credits once, however many race', async () => {
    const calls = Array.from({ length: 40 }, () =>
      ensureUser(ctx, verified('racer', 'racer@example.com')),
    );
    const users = await Promise.all(calls);
    expect(new Set(users.map(({ user }) => user.id)).size).toBe(1);
    const again = await ensureUser(ctx, verified('racer', 'racer@example.com'));
    expect(
      userView(again.user, again.subscriptions, { now: ctx.now(), mode: 'reset-all' }),
    ).toMatchObject({
      externalId: 'racer',
      credits: { balance: 500, plan: 0, bonus: 500, purchased: 0, held: 0, unlimited: false },
      subscription: null,
    });
  });

  test.each(['7', '5f6d1c1e-7d3c-4a4e-9c53-0e1c7d0b8f11', "auth0|it's", 'ü 😀'])(
    'takes any kind of id: %s',
    async (externalId) => {
      const { user } = await ensureUser(ctx, { externalId, email: null, emailVerified: false });
      expect(user.external_id).toBe(externalId);
      expect(
        (await ensureUser(ctx, { externalId, email: null, emailVerified: false })).user.id,
      ).toBe(user.id);
    },
  );

  test('claims an account without an owner by a verified e-mail only', async () => {
    const { rows } = await database.pool.query<{ id: string }>(
      "insert into users (email, stripe_customer_id) values ('Payer@Example.com', 'cus_payer') returning id",
    );
    const id = rows[0]?.id;
    const stranger = await ensureUser(ctx, {
      externalId: 'stranger',
      email: 'payer@example.com',
      emailVerified: false,
    });
    expect(stranger.user.id).not.toBe(id);
    const owners = await Promise.all(
      ['owner', 'owner', 'other'].map((name) =>
        ensureUser(ctx, verified(name, 'payer@example.com')),
      ),
    );
    expect(
      owners.filter(({ user }) => user.id === id).map(({ user }) => user.external_id),
    ).toSatisfy((names: string[]) => new Set(names).size === 1);
  });

  test('an e-mail that changes is learnt', async () => {
    const { user } = await ensureUser(ctx, verified('mover', 'old@example.com'));
    const moved = await ensureUser(ctx, verified('mover', 'new@example.com'));
    expect(moved.user).toMatchObject({ id: user.id, email: 'new@example.com' });
  });
});

test('the ledger is read in pages, newest first, without gaps', async () => {
  const { user } = await ensureUser(ctx, verified('reader', 'reader@example.com'));
  for (let i = 0; i < 7; i += 1)
    await adjustCredits(ctx, { user: user.id, amount: i + 1, reason: 'page' });
  const seen: number[] = [];
  let cursor: number | undefined;
  for (let pages = 0; pages < 10; pages += 1) {
    const page = await listEntries(ctx, { userId: user.id, limit: 3, cursor });
    expect(page.items.length).toBeLessThanOrEqual(3);
    seen.push(...page.items.map((item) => item.amount));
    if (page.nextCursor === null) break;
    cursor = Number(page.nextCursor);
  }
  expect(seen).toEqual([7, 6, 5, 4, 3, 2, 1, 500]);
});
