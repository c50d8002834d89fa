import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cancelJob } from '../../functions/jobs/cancel-job.ts';
import { createJob } from '../../functions/jobs/create-job.ts';
import { deleteJob } from '../../functions/jobs/delete-job.ts';
import { retryJob } from '../../functions/jobs/retry-job.ts';
import { processChunk } from '../../functions/processing/process-chunk.ts';
import type { ChunkMessage } from '../../functions/processing/publish-chunks.ts';
import { createConnectionLimiter } from '../../functions/providers/connection-limiter.ts';
import { aroundCalls } from '../support/around-calls.ts';
import { csvOf, JobFixture, providerFetch, slotsOf } from '../support/job-fixture.ts';

/** Of rows that are cut a fourth counts, and of each chunk one at least: two of six. */
const budget = 40;
const counted = 20;
const rows = 60;

let fixture: JobFixture;
let ctx: JobFixture['ctx'];
beforeAll(async () => {
  fixture = await JobFixture.open({ FREE_ERROR_ROWS_PER_DAY: String(budget) });
  ({ ctx } = fixture);
});
afterAll(() => fixture.close());

const unpaid = async (userId: string): Promise<number> => {
  const text = 'select rows_unpaid as rows from user_days where user_id = $1';
  return (await fixture.query<{ rows: number }>(text, [userId]))[0]?.rows ?? 0;
};

/** A model that begins to answer everybody when `mayAnswer` says so; `calls` of rows. */
function modelAfter(mayAnswer: Promise<unknown>) {
  const usual = providerFetch();
  const model = {
    calls: 0,
    connections: slotsOf(async (url, init, timeout, read) => {
      if (!url.endsWith('/search')) {
        model.calls += 1;
        await mayAnswer;
      }
      return usual(url, init, timeout, read);
    }),
  };
  return model;
}

const atOnce = modelAfter(Promise.resolve());

async function begin(userId: string, count = rows) {
  const { job } = await createJob(ctx, { userId, filename: 'leads.csv' });
  fixture.published = [];
  await fixture.upload(userId, job.id, csvOf(count));
  return { of: { userId, jobId: job.id }, messages: fixture.messages() };
}
type Begun = Awaited<ReturnType<typeof begin>>;

/** Every chunk is worked, and the first that would be committed finds that its user did this. */
async function workedUntil({ of, messages }: Begun, act: (job: Begun['of']) => Promise<unknown>) {
  const before = atOnce.calls;
  let acted: Promise<unknown> | undefined;
  const db = aroundCalls(ctx.db, async ({ name }, next) => {
    if (name === 'chunk_commit') await (acted ??= act(of));
    return next();
  });
  const work = (message: ChunkMessage) => processChunk({ ...ctx, db }, message, atOnce.connections);
  await Promise.all(messages.map(work));
  return atOnce.calls - before;
}

/** The user does this while the model thinks for longer than anybody waits. */
async function cutIn({ of, messages }: Begun, act: (job: Begun['of']) => Promise<unknown>) {
  const acted = Promise.withResolvers<void>();
  const model = modelAfter(acted.promise);
  const works = messages.map((message) => processChunk(ctx, message, model.connections));
  await expect.poll(() => model.calls).toBe(rows);
  await act(of);
  acted.resolve();
  await Promise.all(works);
  return model.calls;
}

const plans: [string, (userId: string) => Promise<unknown>][] = [
  ['with credits', async () => undefined],
  ['on an unlimited plan', (userId) => fixture.goUnlimited(userId)],
];
const loops: [string, (job: Begun) => Promise<number>][] = [
  ['deleted as it is about to be committed', (job) => workedUntil(job, (of) => deleteJob(ctx, of))],
  ['deleted while the model thinks', (job) => cutIn(job, (of) => deleteJob(ctx, of))],
  ['cancelled while the model thinks', (job) => cutIn(job, (of) => cancelJob(ctx, of))],
];

describe.each(plans)('%s', (_, subscribe) => {
  test.each(loops)('a job that is %s, again and again', async (__, loop) => {
    const userId = await fixture.newUser(rows);
    await subscribe(userId);
    let calls = 0;
    let refused: unknown;
    for (let i = 0; i < 5 && refused === undefined; i += 1) {
      const job = await begin(userId).catch((error: unknown) => void (refused = error));
      if (job) calls += await loop(job);
    }
    expect(refused).toMatchObject({
      code: 'too_many_failed_rows',
      extra: { limit: budget, used: 2 * counted },
      retryAfterSeconds: expect.any(Number),
    });
    expect(calls).toBe(2 * rows);
    expect(await unpaid(userId)).toBe(2 * counted);
    expect(await fixture.credits(userId)).toEqual({ balance: rows, held: 0 });
  });
});

test('a run that its user has cancelled and begun anew counts as well', async () => {
  const userId = await fixture.newUser(rows);
  const job = await begin(userId);
  await cutIn(job, async (of) => {
    await cancelJob(ctx, of);
    await retryJob(ctx, of);
  });
  expect(await unpaid(userId)).toBe(counted);
});

test('a deletion waits for what is finished, which is charged', async () => {
  const userId = await fixture.newUser(rows);
  const { of, messages } = await begin(userId);
  const model = modelAfter(Promise.resolve());
  let deletion: Promise<void> | undefined;
  const isEnding = async (): Promise<boolean> =>
    (await fixture.query('select 1 from jobs where id = $1 and cancel_at is not null', [of.jobId]))
      .length > 0;
  const db = aroundCalls(ctx.db, async ({ name }, next) => {
    // The deletion has looked who works before anybody commits.
    if (name === 'chunk_commit' && !deletion) {
      deletion = deleteJob(ctx, of);
      await expect.poll(isEnding).toBe(true);
    }
    return next();
  });
  const work = (message: ChunkMessage) => processChunk({ ...ctx, db }, message, model.connections);
  await Promise.all(messages.map(work));
  await deletion;
  const [day] = await fixture.query(
    'select rows_succeeded, rows_unpaid from user_days where user_id = $1',
    [userId],
  );
  expect(model.calls).toBeGreaterThan(0);
  expect(day).toEqual({ rows_succeeded: model.calls, rows_unpaid: 0 });
  expect(await fixture.credits(userId)).toEqual({ balance: rows - model.calls, held: 0 });
});

describe('rows that are cut', () => {
  /** One chunk whose rows are cut by the time, at a provider that never answers; then its user cancels, or not. */
  async function cutAt(provider: 'search' | 'model', isCancelled: boolean) {
    const { userId, jobId, messages } = await fixture.running(5);
    const usual = providerFetch();
    let calls = 0;
    const never = (signal: AbortSignal) =>
      new Promise<Response>((_, reject) =>
        signal.addEventListener('abort', () => reject(signal.reason as Error)),
      );
    const connections = createConnectionLimiter(3, (async (url: string, init: RequestInit) => {
      const isSearch = url.endsWith('/search');
      if (isSearch !== (provider === 'search'))
        return usual(url, init, 0, async (response) => response);
      calls += 1;
      return never(init.signal as AbortSignal);
    }) as typeof fetch);
    const db = aroundCalls(ctx.db, async ({ name }, next) => {
      if (name === 'chunk_commit' && isCancelled)
        await fixture.query('select rowloom.job_cancel_begin($1, $2)', [jobId, userId]);
      return next();
    });
    const [message] = messages;
    if (!message) expect.unreachable();
    const limits = { startMs: 200, stopMs: 400 };
    await processChunk({ ...ctx, db }, message, connections, limits);
    await cancelJob(ctx, { userId, jobId });
    expect(calls).toBeGreaterThan(0);
    return { calls, unpaid: await unpaid(userId) };
  }

  test('count when their user ended the job, while the model wrote', async () => {
    const cut = await cutAt('model', true);
    expect(cut.unpaid).toBe(Math.ceil(cut.calls / 4));
  });

  test.each([
    ['that only searched', 'search', true],
    ['by the time that there is', 'model', false],
  ] as const)('do not: those %s', async (_, provider, isCancelled) => {
    expect((await cutAt(provider, isCancelled)).unpaid).toBe(0);
  });
});

test('once, when the answer to the commit is lost', async () => {
  const userId = await fixture.newUser(rows);
  const { of, messages } = await begin(userId, 6);
  let cancelled: Promise<unknown> | undefined;
  const db = aroundCalls(ctx.db, async ({ name }, next) => {
    if (name !== 'chunk_commit') return next();
    await (cancelled ??= cancelJob(ctx, of));
    await next();
    return next();
  });
  const work = (message: ChunkMessage) => processChunk({ ...ctx, db }, message, atOnce.connections);
  await Promise.all(messages.map(work));
  expect(await unpaid(userId)).toBe(2);
});
