import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DomainError } from '../../functions/errors.ts';
import { cancelJob } from '../../functions/jobs/cancel-job.ts';
import { createJob } from '../../functions/jobs/create-job.ts';
import { deleteJob } from '../../functions/jobs/delete-job.ts';
import { listUsage, readJobUsage } from '../../functions/jobs/read-usage.ts';
import { retryJob } from '../../functions/jobs/retry-job.ts';
import { ChunkCommits } from '../../functions/processing/commit-chunk.ts';
import type { RowToolbox, Usage } from '../../functions/processing/create-row-tools.ts';
import { leaseChunk } from '../../functions/processing/lease-chunk.ts';
import { processChunk } from '../../functions/processing/process-chunk.ts';
import type { ChunkMessage } from '../../functions/processing/publish-chunks.ts';
import type { SlotFetch } from '../../functions/providers/connection-limiter.ts';
import { aroundCalls } from '../support/around-calls.ts';
import { testCtx } from '../support/ctx.ts';
import { JobFixture, providerFetch, slotsOf } from '../support/job-fixture.ts';

/** A search 2,000 millionths of a dollar, a message 30, a token 1 in and 4 out. */
const prices = { search: 2, queue: 3, models: { llm: { in: 1, out: 4 } } };

let fixture: JobFixture;
beforeAll(async () => {
  fixture = await JobFixture.open({ PRICES: JSON.stringify(prices), PARALLEL_INVOCATIONS: '1' });
});
afterAll(() => fixture.close());

type Used = {
  tokensIn: number;
  tokensOut: number;
  searches: number;
  cached: number;
  messages: number;
  micros: number;
};

const usedBy = async (jobId: string): Promise<Used | undefined> => {
  const [row] = await fixture.query<{ used: Used }>(
    `select jsonb_build_object('tokensIn', tokens_in, 'tokensOut', tokens_out, 'searches', searches,
        'cached', searches_cached, 'messages', queue_messages, 'micros', cost_micros) as used
      from jobs where id = $1`,
    [jobId],
  );
  return row?.used;
};

const only = (messages: ChunkMessage[]): ChunkMessage => {
  const [message] = messages;
  if (!message || messages.length > 1) throw new Error(`${messages.length} messages`);
  return message;
};

/** Providers that note what they were asked for and what they would charge. */
function countingProviders() {
  const asked = { tokensIn: 0, tokensOut: 0, searches: 0 };
  const state = { failing: [] as string[], modelRefuses: false, latencyMs: 0 };
  const fetch: SlotFetch = async (url, init, timeout, read, ...rest) => {
    await new Promise((resolve) => setTimeout(resolve, state.latencyMs));
    if (url.endsWith('/search'))
      return providerFetch(state.failing)(
        url,
        init,
        timeout,
        (response) => {
          // What a probe asks is no row's.
          if (response.ok && !JSON.stringify(init.body).includes('Wikipedia')) asked.searches += 1;
          return read(response);
        },
        ...rest,
      );
    if (state.modelRefuses) return read(new Response('no', { status: 401 }));
    const usage = { prompt_tokens: 100 + asked.searches, completion_tokens: 20 };
    asked.tokensIn += usage.prompt_tokens;
    asked.tokensOut += usage.completion_tokens;
    const message = { content: 'Subject: Hello\n\nDear lead, this is for you.' };
    return read(Response.json({ choices: [{ message, finish_reason: 'stop' }], usage }));
  };
  return { asked, state, connections: slotsOf(fetch) };
}

test('a job counts what providers were asked for, over deliveries, a wait and a retry', async () => {
  const { asked, state, connections } = countingProviders();
  const { userId, jobId, messages } = await fixture.running(40);
  let deliveries = 0;
  const deliver = async (message: ChunkMessage, limits?: { startMs: number; stopMs: number }) => {
    fixture.published = [];
    deliveries += 1;
    const { outcome } = await processChunk(fixture.ctx, message, connections, limits);
    return { outcome, next: fixture.messages() };
  };

  // Twenty rows at once, each of two calls: the time does for the first twenty.
  Object.assign(state, { latencyMs: 60, failing: ['lead 3', 'lead 30'] });
  const first = await deliver(only(messages), { startMs: 50, stopMs: 5000 });
  expect(first.outcome).toBe('committed');
  const { searches } = asked;
  expect(searches).toBeGreaterThan(0);
  expect(searches).toBeLessThan(38);

  // Searches are made and kept, then nobody is let in by the model; a delivery finds that out at once.
  Object.assign(state, { latencyMs: 0, modelRefuses: true });
  const second = await deliver(only(first.next));
  expect(second.outcome).toBe('committed');
  expect(asked.searches).toBeGreaterThan(searches);
  const third = await deliver(only(second.next));
  expect(third.outcome).toBe('waiting');

  state.modelRefuses = false;
  await fixture.ctx.db.call('provider_close', { p_name: 'llm' });
  const fourth = await deliver(only(third.next));
  expect(fourth).toEqual({ outcome: 'committed', next: [] });

  state.failing = [];
  fixture.published = [];
  await retryJob(fixture.ctx, { userId, jobId });
  await deliver(only(fixture.messages()));

  expect(asked.searches).toBe(40);
  const { tokensIn, tokensOut } = asked;
  expect(await usedBy(jobId)).toEqual({
    ...asked,
    cached: 0,
    messages: deliveries,
    micros: 40 * 2000 + deliveries * 30 + tokensIn + 4 * tokensOut,
  });
  expect(
    await fixture.query('select status, rows_succeeded from jobs where id = $1', [jobId]),
  ).toEqual([{ status: 'completed', rows_succeeded: 40 }]);
});

describe('what was used counts once, and always', () => {
  const token = '00000000-0000-4000-8000-000000000001';
  const took: Usage = {
    tokensIn: 10,
    tokensOut: 5,
    searches: 1,
    searchesCached: 2,
    costMicros: 2030,
  };
  const nothing: Usage = {
    tokensIn: 0,
    tokensOut: 0,
    searches: 0,
    searchesCached: 0,
    costMicros: 0,
  };
  /** Once, with the message. */
  const counted: Used = {
    tokensIn: 10,
    tokensOut: 5,
    searches: 1,
    cached: 2,
    messages: 1,
    micros: 2030 + 30,
  };

  /** A leased chunk of three rows, of which some have ended; `lost`: answers to commits that do not arrive. */
  async function begun(rowsDone: number, lost = 0, usages = [took]) {
    const { userId, jobId, messages } = await fixture.running(3);
    const message = only(messages);
    const leased = await leaseChunk(fixture.ctx, message, token);
    if (leased.outcome !== 'leased') throw new Error(`the chunk is ${leased.outcome}`);
    let answersLost = 0;
    const db = aroundCalls(fixture.ctx.db, async ({ name }, next) => {
      const answer = await next();
      if (name !== 'chunk_commit' || answersLost === lost) return answer;
      answersLost += 1;
      throw new DomainError('service_unavailable', 'The answer was lost.');
    });
    const commits = new ChunkCommits({ ...fixture.ctx, db }, message, token, leased);
    const toolbox: RowToolbox = {
      toolsOf: () => {
        throw new Error('no row is worked here');
      },
      prepare: async () => {},
      takeBack: async () => {},
      finish: async () => {},
      takeUsage: () => usages.shift() ?? nothing,
    };
    commits.begin(toolbox, (work) => work(), { stop: () => {}, halt: () => {} });
    const work = (rowIndex: number) =>
      commits.row(rowIndex, { status: 'ok', cells: ['about', 'Dear'] });
    for (let i = 0; i < rowsDone; i += 1) work(i);
    return { userId, jobId, commits, work };
  }
  const statusOf = async (jobId: string) =>
    (await fixture.query('select status, rows_succeeded from jobs where id = $1', [jobId]))[0];

  test('the answer to a commit on the way is lost: the same holder goes on', async () => {
    const { jobId, commits, work } = await begun(1, 1);
    expect(await commits.checkpoint()).toBe(true);
    expect(await usedBy(jobId)).toEqual(counted);
    work(1);
    work(2);
    expect(await commits.end()).toEqual({ outcome: 'committed', status: 'completed' });
    expect(await usedBy(jobId)).toEqual(counted);
    expect(await statusOf(jobId)).toEqual({ status: 'completed', rows_succeeded: 3 });
  });

  test('no answer comes for two commits on the way: what was used meanwhile is told later', async () => {
    const { jobId, commits, work } = await begun(1, 6, [took, took]);
    expect(await commits.checkpoint()).toBe(true);
    work(1);
    expect(await commits.checkpoint()).toBe(true);
    work(2);
    expect(await commits.end()).toEqual({ outcome: 'committed', status: 'completed' });
    const { tokensIn, searches, micros } = counted;
    expect(await usedBy(jobId)).toEqual({
      ...counted,
      tokensIn: 2 * tokensIn,
      tokensOut: 2 * counted.tokensOut,
      searches: 2 * searches,
      cached: 2 * counted.cached,
      micros: micros + 2030,
    });
    expect(await statusOf(jobId)).toEqual({ status: 'completed', rows_succeeded: 3 });
  });

  test('the answer to the last commit is lost, twice', async () => {
    const { jobId, commits } = await begun(3, 2);
    expect(await commits.end()).toEqual({ outcome: 'committed', status: 'completed' });
    expect(await usedBy(jobId)).toEqual(counted);
    expect(await statusOf(jobId)).toEqual({ status: 'completed', rows_succeeded: 3 });
  });

  test('the job was cancelled: the rows do not count, what they took does', async () => {
    const { userId, jobId, commits } = await begun(2);
    await cancelJob(fixture.ctx, { userId, jobId });
    expect(await commits.end()).toEqual({ outcome: 'gone' });
    expect(await usedBy(jobId)).toEqual(counted);
    expect(await statusOf(jobId)).toEqual({ status: 'cancelled', rows_succeeded: 0 });
  });

  test('the lease went to another delivery: the rows do not count, what they took does', async () => {
    const { jobId, commits } = await begun(2);
    await fixture.expireLeases(jobId);
    const other = '00000000-0000-4000-8000-000000000002';
    await fixture.query('update job_chunks set lease_token = $2 where job_id = $1', [jobId, other]);
    expect(await commits.end()).toEqual({ outcome: 'stale' });
    expect(await usedBy(jobId)).toEqual(counted);
    expect(await statusOf(jobId)).toEqual({ status: 'running', rows_succeeded: 0 });
  });
});

describe('by user and day', () => {
  type Made = { userId: string; at: string; tokensIn?: number; succeeded?: number };
  /** A job that was worked, and nothing else of which its row would tell. */
  const worked = ({ userId, at, tokensIn = 1, succeeded = 1 }: Made) =>
    fixture.query(
      `insert into jobs (user_id, filename, processor, prompt, status, started_at, finished_at, rows_total,
          rows_done, rows_succeeded, rows_failed, credits_charged, tokens_in, tokens_out, searches,
          searches_cached, queue_messages, cost_micros)
        values ($1, 'by-hand.csv', 'classify', '', 'completed', $2, $2, $4 + 1, $4 + 1, $4, 1, $4, $3, 2, 3, 4, 5, 1000001)`,
      [userId, at, tokensIn, succeeded],
    );
  const days = { from: '2026-03-01', to: '2026-03-03' };
  // No ledger knows of them.
  afterAll(() => fixture.query("delete from jobs where filename = 'by-hand.csv'"));

  test('sums jobs up on the day in UTC on which they began last, and pages through', async () => {
    const users = [await fixture.newUser(), await fixture.newUser()].toSorted();
    const [ada = '', bob = ''] = users;
    await worked({ userId: ada, at: '2026-02-28T23:59:59.999Z' });
    await worked({ userId: ada, at: '2026-03-01T00:00:00Z', tokensIn: 10, succeeded: 3 });
    await worked({ userId: ada, at: '2026-03-01T23:59:59.999+00', tokensIn: 20, succeeded: 4 });
    await worked({ userId: bob, at: '2026-03-01T01:30:00+02' });
    await worked({ userId: bob, at: '2026-03-03T23:59:59.999Z' });
    await worked({ userId: ada, at: '2026-03-03T12:00:00Z' });
    await worked({ userId: ada, at: '2026-03-04T00:00:00Z' });
    await createJob(fixture.ctx, { userId: bob, filename: 'never-started.csv' });

    const all = await listUsage(fixture.ctx, { ...days, limit: 50 });
    expect(all.nextCursor).toBeNull();
    expect(all.items.map(({ day, userId, jobs }) => [day, userId, jobs])).toEqual([
      ['2026-03-03', ada, 1],
      ['2026-03-03', bob, 1],
      ['2026-03-01', ada, 2],
    ]);
    expect(all.items[2]).toEqual({
      day: '2026-03-01',
      userId: ada,
      jobs: 2,
      rows: { succeeded: 7, failed: 2 },
      tokensIn: 30,
      tokensOut: 4,
      searches: 6,
      cachedSearches: 8,
      messages: 10,
      cost: { amount: 2.000002, currency: 'usd' },
      creditsCharged: 7,
    });

    const seen: unknown[] = [];
    let cursor: { day: string; userId: string } | undefined;
    for (let pages = 0; pages < 3; pages += 1) {
      const { items, nextCursor } = await listUsage(fixture.ctx, { ...days, limit: 1, cursor });
      seen.push(...items);
      const [day = '', userId = ''] = nextCursor?.split('~') ?? [];
      cursor = { day, userId };
      expect(nextCursor === null).toBe(pages === 2);
    }
    expect(seen).toEqual(all.items);

    const external = await fixture.query<{ external_id: string }>(
      'select external_id from users where id = $1',
      [bob],
    );
    for (const user of [bob, external[0]?.external_id])
      expect((await listUsage(fixture.ctx, { ...days, user, limit: 50 })).items).toEqual([
        all.items[1],
      ]);
  });

  test('the last thirty days unless said otherwise; 366 at most, in their order', async () => {
    const userId = await fixture.newUser();
    for (const at of ['2024-01-31T12:00:00Z', '2024-01-02T00:00:00Z', '2024-01-01T23:59:59Z'])
      await worked({ userId, at });
    const ctx = { ...fixture.ctx, now: () => new Date('2024-01-31T13:00:00Z') };
    const dates = async (of: { from?: string; to?: string }) =>
      (await listUsage(ctx, { ...of, user: userId, limit: 50 })).items.map(({ day }) => day);
    expect(await dates({})).toEqual(['2024-01-31', '2024-01-02']);
    expect(await dates({ to: '2024-01-30' })).toEqual(['2024-01-02', '2024-01-01']);
    expect(await dates({ from: '2024-01-31' })).toEqual(['2024-01-31']);
    expect(await dates({ from: '2023-02-01' })).toHaveLength(3);
    for (const from of ['2023-01-30', '2024-02-01'])
      await expect(dates({ from })).rejects.toMatchObject({
        code: 'invalid_request',
        extra: { errors: [{ field: 'from' }] },
      });
  });

  test('names the models that have no price', async () => {
    const unpriced = testCtx(fixture.database, { LLM_MODEL: 'acme/house-model' });
    expect(await listUsage(unpriced, { limit: 1 })).toMatchObject({ unpricedModels: ['llm'] });
    expect(await listUsage(fixture.ctx, { limit: 1 })).toMatchObject({ unpricedModels: [] });
  });

  test('a job that its user deleted still counts', async () => {
    const { connections, asked } = countingProviders();
    const { userId, jobId, messages } = await fixture.running(3);
    await processChunk(fixture.ctx, only(messages), connections);
    const before = await readJobUsage(fixture.ctx, { jobId });
    expect(before).toMatchObject({
      jobId,
      userId,
      status: 'completed',
      rows: { succeeded: 3, failed: 0 },
      searches: 3,
      tokensIn: asked.tokensIn,
      messages: 1,
      cost: { amount: (3 * 2000 + 30 + asked.tokensIn + 4 * asked.tokensOut) / 1e6 },
      creditsCharged: 3,
    });
    await deleteJob(fixture.ctx, { userId, jobId });
    expect(await readJobUsage(fixture.ctx, { jobId })).toEqual(before);
    const { items } = await listUsage(fixture.ctx, { user: userId, limit: 50 });
    expect(items).toMatchObject([{ jobs: 1, cost: before.cost, creditsCharged: 3 }]);
  });
});
