import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Ctx } from '../../functions/context.ts';
import { bringUpToDate } from '../../functions/ledger/due.ts';
import { timelineOf, type Fact, type HoldFact } from '../../functions/ledger/facts.pure.ts';
import { refoldUser } from '../../functions/ledger/refold.ts';
import { readStanding } from '../../functions/ledger/standing.ts';
import { stepOf } from '../../functions/ledger/step.pure.ts';
import { testCtx } from '../support/ctx.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { lives } from '../support/lives.ts';
import { assertBooksAreTheFold, assertBooksHold } from '../support/ledger-invariants.ts';
import { emptyBooks } from '../support/stored-books.ts';
import { outsiders, ownedBy } from '../support/outsiders.ts';
import { directDb } from '../support/stripe-fixture.ts';
import { timelines } from '../support/timelines.ts';
import { holdAnswer } from '../support/hold-answer.ts';

const user = '22222222-2222-4222-8222-222222222222';
const runs = Number(process.env['RUNS'] ?? 100);
const seed = Number(process.env['SEED'] ?? 20_271);

let database: TestDatabase;
let ctx: Ctx;
let nowMs = Date.now();
beforeAll(async () => {
  database = await createDatabase();
  const whole = testCtx(database);
  const db = { ...whole.db, ...directDb(database) };
  ctx = { ...whole, db, now: () => new Date(nowMs) };
});
afterAll(() => database.drop());

async function begin(): Promise<void> {
  await emptyBooks(database.pool);
  await database.pool.query('insert into users (id) values ($1)', [user]);
}

/** How often SQL did alone what a fact says, and how often it left it to the fold; by kind. */
const counts = new Map<string, number>();
const count = (what: string): void => void counts.set(what, (counts.get(what) ?? 0) + 1);

const jobOf = ({ job, run }: Pick<HoldFact, 'job' | 'run'>): string =>
  `00000000-0000-4000-8000-${job.padStart(8, '0')}${String(run).padStart(4, '0')}`;

/** Holds as a start of a job does: on what the user is entitled to now, after what has become due. */
async function hold({ job, run, credits }: HoldFact): Promise<string> {
  for (let looks = 0; looks < 3; looks += 1) {
    const { plan, standingVersion } = await readStanding(ctx, user);
    const { outcome } = await ctx.db.call(
      'ledger_hold',
      {
        p_user: user,
        p_job: jobOf({ job, run }),
        p_run: run,
        p_credits: credits,
        p_unlimited: plan?.credits === null,
        p_standing: standingVersion,
      },
      holdAnswer,
    );
    if (outcome !== 'refold') return outcome;
    await bringUpToDate(ctx, user);
  }
  throw new Error('The books do not settle.');
}

/** Posts a fact as the product does: by one step if that can say what it does, else by the fold. */
async function post(fact: Fact, held: Set<string>): Promise<void> {
  if (fact.kind === 'hold') {
    const outcome = held.has(fact.key) ? 'known' : await hold(fact);
    if (outcome === 'held') held.add(fact.key);
    return count(`hold: ${outcome}`);
  }
  if (fact.kind === 'release') {
    if (!held.has(fact.hold) || held.has(fact.key)) return;
    held.add(fact.key);
    const { job, run, credits, rows } = fact;
    const ends = { p_user: user, p_job: jobOf({ job, run }), p_run: run };
    await ctx.db.call('ledger_release', { ...ends, p_credits: credits, p_rows: rows });
    const { rowCount } = await database.pool.query(
      'select from users where stale_since is not null',
    );
    if (rowCount) await bringUpToDate(ctx, user);
    return count(`release: ${rowCount ? 'refold' : 'posted'}`);
  }
  if (fact.kind === 'signup') {
    await database.pool.query('select rowloom.user_sign_up($1, $2)', [user, fact.credits]);
    return bringUpToDate(ctx, user);
  }
  const step = stepOf(fact);
  const outcome = step
    ? await ctx.db.call('ledger_step', { p_user: user, p_fact: fact, p_step: step })
    : 'refold';
  if (outcome === 'refold') await refoldUser(ctx, { userId: user, tell: () => [fact] });
  return count(`${fact.kind}: ${outcome}`);
}

/** By the clock of the newest fact: our own facts follow it at once. */
async function settleClock(): Promise<void> {
  const { rows } = await database.pool.query<{ at: string | null }>(
    "select max((body ->> 'atUs')::bigint) as at from credit_facts where kind <> 'signup'",
  );
  nowMs = Math.max(Date.now(), Math.ceil(Number(rows[0]?.at ?? 0) / 1000));
}

/** A reversal waits in the inbox until its payment is known: it is nobody's before. */
const afterPayments = (facts: Fact[]): Fact[] => {
  const paid = (fact: Fact, before: number): boolean =>
    facts.findIndex(({ key }) => fact.kind === 'reversal' && key === fact.payment) < before;
  const waits = facts.filter((fact, i) => !paid(fact, i));
  return facts.flatMap((fact, i) => {
    if (waits.includes(fact)) return [];
    const isFirst = facts.findIndex(({ key }) => key === fact.key) === i;
    const woken = waits.filter((one) => one.kind === 'reversal' && one.payment === fact.key);
    return isFirst ? [fact, ...woken] : [fact];
  });
};

/** Accounts alone, and such as others pay for too. */
const accounts = fc.oneof(
  timelines,
  lives,
  fc
    .tuple(fc.oneof(timelines, lives), outsiders)
    .map(([facts, others]) => [...ownedBy(facts, 'cus_own'), ...others]),
);

/** A customer becomes the account's own in the transaction of the first fact that they pay for. */
const isKnown = (fact: Fact): boolean => fact.kind === 'customer' && !fact.isChosen;

/** A timeline in order, but for some facts that come later than they should. */
const deliveries = fc
  .record({ facts: accounts, delays: fc.array(fc.integer({ min: -20, max: 8 })) })
  .map(({ facts, delays }) => {
    const late = timelineOf(facts)
      .map((fact, i) => ({ fact, at: i + (isKnown(fact) ? 0 : Math.max(0, delays[i] ?? 0)) }))
      .toSorted((a, b) => a.at - b.at);
    return afterPayments(late.map(({ fact }) => fact));
  });

describe('what SQL does step by step', () => {
  test('is what the fold of the facts comes to, lot by lot, also after late facts', async () => {
    await fc.assert(
      fc.asyncProperty(deliveries, async (facts) => {
        await begin();
        const held = new Set<string>();
        for (const fact of facts) {
          await settleClock();
          await post(fact, held);
          await assertBooksAreTheFold(database.pool);
        }
        await assertBooksHold(database.pool);
      }),
      { numRuns: runs, seed },
    );
    console.log(`ledger: seed ${seed}, ${runs} timelines`, Object.fromEntries(counts));
    // Not worth its name if one side did all the work.
    for (const kind of ['plan', 'state', 'pack', 'release'])
      for (const way of ['posted', 'refold'])
        expect(counts.get(`${kind}: ${way}`), `${kind}: ${way}`).toBeGreaterThan(0);
  }, 240_000);
});

/** Everything that stands in a user's rows, to the last column that counts. */
const rowsOf = async (id: string) =>
  (
    await database.pool.query<{ rows: unknown }>(
      `select jsonb_build_object('user', to_jsonb(u),
          'entries', (select jsonb_agg(to_jsonb(e) order by e.id) from credit_entries e where e.user_id = u.id),
          'lots', (select jsonb_agg(to_jsonb(l) order by l.key) from credit_lots l where l.user_id = u.id),
          'facts', (select jsonb_agg(to_jsonb(f) order by f.key) from credit_facts f where f.user_id = u.id)) as rows
        from users u where u.id = $1`,
      [id],
    )
  ).rows[0]?.rows;

const packOf = (session: string, second: number): Fact => ({
  kind: 'pack',
  key: `session:${session}`,
  atUs: second * 1e6,
  decidedAtMs: second * 1e3,
  session,
  pack: 'pack',
  quantity: 1,
  credits: 10,
  total: 900,
});

describe('one user', () => {
  test('is written to by 32 at once: every running balance adds up, nothing is given up', async () => {
    await begin();
    nowMs = Date.now();
    const second = Math.floor(nowMs / 1000);
    // In whatever order they come through, many are late.
    const events = Array.from({ length: 100 }, (_, i) => packOf(`cs_crowd_${i}`, second - 100 + i));
    const jobs = Array.from({ length: 20 }, () => randomUUID());
    const held: string[] = [];
    const writers = Array.from({ length: 32 }, async (_, writer) => {
      for (let at = writer; at < events.length; at += 32)
        await post(events[at] as Fact, new Set<string>());
      const job = jobs[writer];
      if (job === undefined) return;
      const { outcome } = await ctx.db.call(
        'ledger_hold',
        {
          p_user: user,
          p_job: job,
          p_run: 1,
          p_credits: 20,
          p_unlimited: false,
          p_standing: (await readStanding(ctx, user)).standingVersion,
        },
        holdAnswer,
      );
      if (outcome === 'held') held.push(job);
    });
    await Promise.all(writers);
    for (const job of held)
      await ctx.db.call('ledger_release', {
        p_user: user,
        p_job: job,
        p_run: 1,
        p_credits: 5,
        p_rows: 15,
      });
    await bringUpToDate(ctx, user);
    await assertBooksHold(database.pool);
    const { rows } = await database.pool.query<{ balance: number; packs: number }>(
      `select credits_balance::int as balance, (select count(*)::int from credit_entries where kind = 'pack') as packs
        from users where id = $1`,
      [user],
    );
    expect(held.length).toBeGreaterThan(0);
    expect(rows).toEqual([{ balance: 1000 - 15 * held.length, packs: 100 }]);
  }, 120_000);

  test('is told again what was written before the answer was lost: nothing changes', async () => {
    await begin();
    const second = Math.floor(Date.now() / 1000);
    const facts = [packOf('cs_2', second), packOf('cs_1', second - 10)];
    for (const fact of facts) await post(fact, new Set());
    const written = await rowsOf(user);
    for (const fact of facts) await post(fact, new Set());
    expect(await rowsOf(user)).toEqual(written);
    await assertBooksHold(database.pool);
  });
});
