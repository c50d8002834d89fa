import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Ctx } from '../../functions/context.ts';
import { settleDueUsers } from '../../functions/ledger/due.ts';
import { aroundCalls } from '../support/around-calls.ts';
import { testCtx } from '../support/ctx.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { assertBooksHold } from '../support/ledger-invariants.ts';
import { emptyBooks } from '../support/stored-books.ts';
import { directDb } from '../support/stripe-fixture.ts';

let database: TestDatabase;
let ctx: Ctx;
beforeAll(async () => {
  database = await createDatabase();
  const whole = testCtx(database, { FREE_CREDITS_PER_MONTH: '50' });
  ctx = { ...whole, db: { ...whole.db, ...directDb(database) } };
});
afterAll(() => database.drop());
beforeEach(() => emptyBooks(database.pool));

/** Users with a sign-up that their books do not show yet. */
async function signUp(count: number): Promise<string[]> {
  const ids = Array.from({ length: count }, () => randomUUID());
  await database.pool.query('insert into users (id) select unnest($1::uuid[])', [ids]);
  await database.pool.query('select rowloom.user_sign_up(id, 500) from unnest($1::uuid[]) id', [
    ids,
  ]);
  return ids;
}
const isSettled = async (id: string | undefined) => {
  const { rows } = await database.pool.query(
    'select 1 from users where id = $1 and stale_since is null',
    [id],
  );
  return rows.length === 1;
};

describe('the cron settles users that are behind', () => {
  test('first, before the free months of all who signed up before there were any', async () => {
    await signUp(201);
    await database.pool.query(
      "update users set stale_since = null, signed_up_at = now() - interval '2 years'",
    );
    const [waiting] = await signUp(1);
    await settleDueUsers(ctx);
    expect(await isSettled(waiting)).toBe(true);
  });

  test('also behind many whose books cannot be folded', async () => {
    const broken = new Set(await signUp(200));
    const [waiting] = await signUp(1);
    const db = aroundCalls(ctx.db, ({ name, args }, next) => {
      if (name === 'ledger_read' && broken.has(String(args['p_user']))) throw new Error('broken');
      return next();
    });
    const failing = { ...ctx, db, log: () => undefined };
    for (let runs = 0; runs < 12 && !(await isSettled(waiting)); runs += 1)
      await settleDueUsers(failing);
    expect(await isSettled(waiting)).toBe(true);
    for (let runs = 0; runs < 3; runs += 1) await settleDueUsers(ctx);
    await assertBooksHold(database.pool);
  });
});
