import { retryJob } from '../../functions/jobs/retry-job.ts';
import type { ChunkMessage } from '../../functions/processing/publish-chunks.ts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Ctx } from '../../functions/context.ts';
import { cancelJob } from '../../functions/jobs/cancel-job.ts';
import { createJob } from '../../functions/jobs/create-job.ts';
import { deleteJob } from '../../functions/jobs/delete-job.ts';
import { failChunk } from '../../functions/processing/fail-chunks.ts';
import { processChunk } from '../../functions/processing/process-chunk.ts';
import { readJob } from '../../functions/jobs/read-job.ts';
import { startAwaitingJobs } from '../../functions/jobs/start-awaiting-jobs.ts';
import { startJob } from '../../functions/jobs/start-job.ts';
import { endOverdueCancels } from '../../functions/jobs/end-overdue-stops.ts';
import { sweepOn } from '../../functions/sweeps/sweeps.ts';
import { settleDueUsers } from '../../functions/ledger/due.ts';
import { aroundCalls } from '../support/around-calls.ts';
import { testCtx } from '../support/ctx.ts';
import { csvOf, JobFixture, providers } from '../support/job-fixture.ts';

let fixture: JobFixture;
let ctx: Ctx;
beforeAll(async () => {
  fixture = await JobFixture.open();
  ({ ctx } = fixture);
});
afterAll(() => fixture.close());

/** A job whose rows are stored, and which awaits credits or runs. */
async function uploaded(userId: string, rows: number): Promise<string> {
  const { job } = await createJob(ctx, { userId, filename: 'leads.csv' });
  await fixture.upload(userId, job.id, csvOf(rows)).catch((error: { code: string }) => {
    expect(error.code).toBe('insufficient_credits');
  });
  return job.id;
}

const statusOf = async (userId: string, jobId: string) =>
  (await readJob(ctx, { userId, jobId })).status;

/** What the user's row says beside the balance. */
const booksOf = async (userId: string) =>
  (
    await fixture.query(
      `select credits_balance as balance, credits_held as held, credits_shortfall as shortfall,
          stale_since is not null as stale from users where id = $1`,
      [userId],
    )
  )[0];

describe('after a job ends whose credits were paid back meanwhile', () => {
  /** Ten credits were bought, six are held when the money goes back: four are taken, six are missing. */
  async function refundedWhileRunning() {
    const userId = await fixture.newUser(0);
    const payment = `session:cs_${userId}`;
    await fixture.tell(userId, {
      kind: 'pack',
      key: payment,
      session: `cs_${userId}`,
      pack: 'pack_10',
      quantity: 1,
      credits: 10,
      total: 900,
    });
    fixture.published = [];
    const jobId = await uploaded(userId, 6);
    const [message] = fixture.messages();
    await fixture.tell(userId, {
      kind: 'reversal',
      key: `refund:re_${userId}`,
      reversal: `re_${userId}`,
      payment,
      source: 'refund',
      amount: 900,
      taken: true,
      finality: 1,
    });
    expect(await booksOf(userId)).toEqual({ balance: 0, held: 6, shortfall: 6, stale: false });
    return { userId, jobId, message: message as ChunkMessage };
  }

  type Running = Awaited<ReturnType<typeof refundedWhileRunning>>;

  /** Its cancel was begun by an isolate that died. */
  const cancelOverdue = async ({ userId, jobId }: Running) => {
    await fixture.query('select rowloom.job_cancel_begin($1, $2)', [jobId, userId]);
    await fixture.query("update jobs set cancel_at = now() - interval '31 seconds' where id = $1", [
      jobId,
    ]);
    await endOverdueCancels(ctx);
  };

  const failing = [0, 1, 2, 3].map((i) => `lead ${i}`);
  const ends: [string, number, (job: Running) => Promise<unknown>][] = [
    ['every row ok', 6, ({ message }) => processChunk(ctx, message, providers())],
    ['four rows failed', 2, ({ message }) => processChunk(ctx, message, providers(failing))],
    ['given up', 0, ({ message }) => failChunk(ctx, message, 'Could not be processed')],
    ['cancelled', 0, (job) => cancelJob(ctx, job)],
    ['cancelled by the cron', 0, cancelOverdue],
    ['deleted', 0, (job) => deleteJob(ctx, job)],
  ];
  test.each(ends)('%s: what comes back pays the shortfall at once', async (_, spent, end) => {
    const job = await refundedWhileRunning();
    await end(job);
    expect(await booksOf(job.userId)).toEqual({
      balance: 0,
      held: 0,
      shortfall: spent,
      stale: false,
    });
  });

  test('books that cannot be brought up to date now do not fail the end; the cron does it', async () => {
    const job = await refundedWhileRunning();
    const lines: unknown[] = [];
    const db = aroundCalls(ctx.db, ({ name }, next) =>
      name === 'ledger_post_fold' ? Promise.reject(new Error('out of reach')) : next(),
    );
    const failing = { ...ctx, db, log: (event: string) => void lines.push(event) };
    expect(await processChunk(failing, job.message, providers())).toMatchObject({
      outcome: 'committed',
      status: 'completed',
    });
    expect(lines).toContain('user_not_settled');
    expect(await booksOf(job.userId)).toMatchObject({ held: 6, stale: true });
    await settleDueUsers(ctx);
    expect(await booksOf(job.userId)).toEqual({ balance: 0, held: 0, shortfall: 6, stale: false });
  });
});

describe('jobs that await credits', () => {
  test('start by themselves, the oldest first, as far as the credits reach', async () => {
    const userId = await fixture.newUser(0);
    const ids = [await uploaded(userId, 20), await uploaded(userId, 20), await uploaded(userId, 5)];
    const statuses = () => Promise.all(ids.map((id) => statusOf(userId, id)));
    expect(await startAwaitingJobs(ctx, { userId })).toBe(0);
    await fixture.topUp(userId, 25);
    expect(await startAwaitingJobs(ctx, { userId })).toBe(2);
    expect(await statuses()).toEqual(['running', 'awaiting_credits', 'running']);
    await fixture.topUp(userId, 19);
    expect(await startAwaitingJobs(ctx, { userId })).toBe(0);
    await fixture.topUp(userId, 1);
    expect(await startAwaitingJobs(ctx)).toBe(1);
    expect(await statuses()).toEqual(['running', 'running', 'running']);
    expect(await fixture.credits(userId)).toEqual({ balance: 0, held: 45 });
  });

  test('start without a hold once the plan is unlimited', async () => {
    const userId = await fixture.newUser(0);
    const jobId = await uploaded(userId, 20);
    await fixture.goUnlimited(userId);
    expect(await startAwaitingJobs(ctx, { userId })).toBe(1);
    expect(await statusOf(userId, jobId)).toBe('running');
    expect(await fixture.credits(userId)).toEqual({ balance: 0, held: 0 });
  });

  test('hold up none behind one whose start breaks', async () => {
    const broken = await fixture.newUser(0);
    await uploaded(broken, 20);
    await fixture.topUp(broken, 20);
    const userId = await fixture.newUser(0);
    const jobId = await uploaded(userId, 20);
    await fixture.topUp(userId, 20);
    const db = aroundCalls(ctx.db, ({ name, args }, next) => {
      if (name === 'job_start' && args['p_user'] === broken) throw new TypeError('a bug');
      return next();
    });
    expect(await startAwaitingJobs({ ...ctx, db })).toBe(1);
    expect(await statusOf(userId, jobId)).toBe('running');
    expect(await startAwaitingJobs(ctx)).toBe(1);
  });

  test('hold up none behind many whose plan is not, or no more, unlimited', async () => {
    const terms = { plan: 'unlimited', credits: null };
    const less = { plan: 'starter', credits: 1000 };
    const waiting: string[] = [];
    for (let nth = 0; nth < 50; nth += 1) {
      const waits = await fixture.newUser(0);
      await uploaded(waits, 1);
      waiting.push(waits);
      await fixture.query(
        `insert into subscriptions (stripe_subscription_id, user_id, status, terms, paid)
          values ($1, $2, 'active', $3, $4)`,
        [`sub_${waits}`, waits, nth % 2 ? terms : less, nth % 2 ? null : terms],
      );
    }
    const userId = await fixture.newUser(0);
    const jobId = await uploaded(userId, 20);
    await fixture.topUp(userId, 20);
    expect(await startAwaitingJobs(ctx)).toBe(1);
    expect(await statusOf(userId, jobId)).toBe('running');
    await fixture.query('delete from subscriptions where user_id = any($1)', [waiting]);
  });

  test('start behind a whole page of others that do not', async () => {
    const broken = new Set<unknown>();
    for (let nth = 0; nth < 55; nth += 1) {
      const waits = await fixture.newUser(0);
      await uploaded(waits, 1);
      await fixture.topUp(waits, 1);
      broken.add(waits);
    }
    const userId = await fixture.newUser(0);
    const jobId = await uploaded(userId, 20);
    await fixture.topUp(userId, 20);
    const db = aroundCalls(ctx.db, ({ name, args }, next) => {
      if (name === 'job_start' && broken.has(args['p_user'])) throw new TypeError('a bug');
      return next();
    });
    await sweepOn({ ...ctx, db }, { name: 'awaiting_jobs' });
    expect(await statusOf(userId, jobId)).toBe('running');
    await sweepOn(ctx, { name: 'awaiting_jobs' });
    const left = await fixture.query(
      "select 1 from jobs where status = 'awaiting_credits' and user_id = any($1)",
      [[...broken]],
    );
    expect(left).toEqual([]);
  });

  test('two runs side by side start each once', async () => {
    const userId = await fixture.newUser(0);
    const jobId = await uploaded(userId, 20);
    await fixture.topUp(userId, 100);
    await Promise.all([1, 2, 3].map(() => startAwaitingJobs(ctx, { userId })));
    expect(await statusOf(userId, jobId)).toBe('running');
    expect(await fixture.credits(userId)).toEqual({ balance: 80, held: 20 });
  });
});

describe('while the account is suspended', () => {
  test('nothing new is begun, and what was sent is kept until it is lifted', async () => {
    const { userId, jobId, messages } = await fixture.running(6);
    await processChunk(ctx, messages[0] as ChunkMessage, providers(['lead 1']));
    const request = { userId, filename: 'leads.csv', idempotencyKey: 'before' };
    const { job } = await createJob(ctx, request);
    await fixture.suspend(userId);

    const refused = { code: 'account_suspended' };
    await expect(createJob(ctx, { userId, filename: 'a.csv' })).rejects.toMatchObject(refused);
    expect((await createJob(ctx, request)).replayed).toBe(true);
    await expect(fixture.upload(userId, job.id, csvOf(6))).rejects.toMatchObject(refused);
    expect(await readJob(ctx, { userId, jobId: job.id })).toMatchObject({
      status: 'awaiting_credits',
      rows: { total: 6 },
    });
    await expect(startJob(ctx, { userId, jobId: job.id })).rejects.toMatchObject(refused);
    await expect(retryJob(ctx, { userId, jobId })).rejects.toMatchObject(refused);
    expect(await startAwaitingJobs(ctx)).toBe(0);
    expect(await fixture.credits(userId)).toEqual({ balance: 495, held: 0 });

    await fixture.lift(userId);
    expect(await startAwaitingJobs(ctx)).toBe(1);
    expect(await statusOf(userId, job.id)).toBe('running');
  });
});

test('a job that needs more credits than a 32-bit number holds is told so', async () => {
  const dear = testCtx(fixture.database, { CREDITS_PER_ROW: '1000', MAX_ROWS: '500' });
  const userId = await fixture.newUser(10);
  const jobId = await uploaded(userId, 30);
  await fixture.query('update jobs set rows_total = 3_000_000 where id = $1', [jobId]);
  await expect(startJob(dear, { userId, jobId })).rejects.toMatchObject({
    code: 'insufficient_credits',
    extra: { required: 3_000_000_000, balance: 10 },
  });
  await fixture.query('update jobs set rows_total = 30 where id = $1', [jobId]);
});
