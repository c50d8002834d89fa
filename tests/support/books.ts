import { randomUUID } from 'node:crypto';
import { afterAll, expect } from 'vitest';
import type { Ctx } from '../../functions/context.ts';
import { auditBooks } from '../../functions/ledger/audit-books.ts';
import { settleUser } from '../../functions/ledger/due.ts';
import { readStanding } from '../../functions/ledger/standing.ts';
import { applyEvent } from '../../functions/stripe/apply-event.ts';
import { readEvent } from '../../functions/stripe/read-event.pure.ts';
import { ensureUser } from '../../functions/users/ensure.ts';
import { testCtx } from './ctx.ts';
import { createDatabase } from './database.ts';
import { event } from './stripe-events.ts';
import { listPrices } from './worker-prices.ts';
import { holdAnswer } from './hold-answer.ts';

/** An event of Stripe's, as if it had been delivered; gives what came of it. */
export async function send(
  ctx: Ctx,
  type: string,
  object: object,
  envelope: Parameters<typeof event>[2] = {},
): Promise<string> {
  const sent = readEvent(event(type, object, envelope));
  if (!sent) throw new Error('That is no event.');
  return (await applyEvent(ctx, sent)).status;
}

/** Holds credits for a run of a job that there is not; gives how to end it. */
export async function holdCredits(ctx: Ctx, userId: string, credits: number) {
  const job = randomUUID();
  const run = { p_user: userId, p_job: job, p_run: 1 };
  const { plan, standingVersion } = await readStanding(ctx, userId);
  const held = await ctx.db.call(
    'ledger_hold',
    {
      ...run,
      p_credits: credits,
      p_unlimited: plan?.credits === null,
      p_standing: standingVersion,
    },
    holdAnswer,
  );
  expect(held.outcome).toBe('held');
  const release = async (back: number, rows = credits - back) => {
    await ctx.db.call('ledger_release', { ...run, p_credits: back, p_rows: rows });
    await settleUser(ctx, userId);
  };
  return { job, release };
}

/** Everybody's books are what their facts come to. */
export async function expectCleanAudit(ctx: Ctx): Promise<void> {
  const { differences, nextCursor } = await auditBooks(ctx, { limit: 100_000 });
  expect(differences).toEqual([]);
  expect(nextCursor).toBeNull();
}

/** A file's database with prices, and its context; at the end everybody's books are what their facts come to. */
export async function openBooks() {
  const database = await createDatabase();
  const ctx = testCtx(database);
  await listPrices(database.pool);
  afterAll(async () => {
    await expectCleanAudit(ctx);
    await database.drop();
  });
  let people = 0;
  /** Somebody with 500 bonus credits. */
  const someone = async () => {
    people += 1;
    const externalId = `person ${people}`;
    const identity = { externalId, email: `person${people}@example.com`, emailVerified: true };
    return (await ensureUser(ctx, identity)).user;
  };
  return { database, ctx, someone };
}
