import { afterAll, beforeAll, beforeEach } from 'vitest';
import type { Ctx } from '../../functions/context.ts';
import { absentStripe } from './absent-stripe.ts';
import { testCtx } from './ctx.ts';
import { createDatabase, type TestDatabase } from './database.ts';
import { assertBooksHold } from './ledger-invariants.ts';
import { emptyBooks } from './stored-books.ts';
import { listPrices } from './worker-prices.ts';

/**
 * A file's database, empty but for prices before each of its tests, with a context that has asked for nothing yet
 * and a Stripe that has none of what it is asked for. The books of the last test hold at the end.
 */
export function eachInbox(take: (opened: { database: TestDatabase; ctx: Ctx }) => void): void {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createDatabase();
  });
  beforeEach(async () => {
    take({ database, ctx: { ...testCtx(database), stripe: absentStripe() } });
    await emptyBooks(database.pool);
    await listPrices(database.pool);
  });
  afterAll(async () => {
    await assertBooksHold(database.pool);
    await database.drop();
  });
}
