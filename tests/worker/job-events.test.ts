import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, describe, expect, onTestFinished, test } from 'vitest';
import { createRedis } from '../../functions/clients/redis.ts';
import { assertBooksHold } from '../support/ledger-invariants.ts';
import { startCompressingProxy } from '../support/compressing-proxy.ts';
import { JobStream } from '../support/worker-events.ts';
import { someone, startRig } from '../support/worker.ts';
import { type Job, waitFor } from '../support/worker-client.ts';
import { companies } from '../support/worker-csv.ts';
import { expectProblem } from '../support/worker-problem.ts';

/** Files of up to 60 rows are one chunk, worked five rows at a time. */
const rig = await startRig({
  env: { PARALLEL_INVOCATIONS: '1', PARALLEL_ROWS_PER_INVOCATION: '5' },
  providerLatencyMs: 80,
});

const redis = createRedis({
  url: rig.redis.url,
  token: rig.env['UPSTASH_REDIS_REST_TOKEN'] ?? '',
});

afterEach(() => rig.redis.faults.clear());

afterAll(async () => {
  await assertBooksHold(rig.database.pool);
  await rig.close();
});

const rows = 60;
const csv = companies(rows).replace('Company 3,', 'Company 3 FAIL_SEARCH,');

const open = (token: string, id: string, lastEventId?: string) =>
  JobStream.open(rig.url, token, id, lastEventId);

function expectMonotone(jobs: Job[]): void {
  for (const [i, job] of jobs.entries()) {
    expect(job.rows.done).toBe(job.rows.succeeded + job.rows.failed);
    expect(job.rows.done).toBeGreaterThanOrEqual(jobs[i - 1]?.rows.done ?? 0);
    if (job.status === 'running') expect(job.progress).toBeLessThan(1);
  }
}

describe('one chunk of 60 rows', () => {
  test('is seen row by row, by the stream and by asking, and ends with done', async () => {
    const { token } = await rig.user(someone());
    const { id } = await rig.startJob(token, csv);
    const stream = await open(token, id);
    const asked: Job[] = [];
    const watching = (async () => {
      for (;;) {
        const job = await rig.readJob(token, id);
        asked.push(job);
        if (job.status !== 'running') return;
        await delay(100);
      }
    })();
    const events = await stream.rest();
    await watching;

    expect(events.at(-1)).toMatchObject({
      event: 'done',
      job: { status: 'completed', progress: 1, etaSeconds: null, rows: { done: 60, failed: 1 } },
    });
    expect(events.slice(0, -1).map(({ event }) => event)).toEqual(
      events.slice(0, -1).map(() => 'progress'),
    );
    expectMonotone(events.map(({ job }) => job));
    for (const seen of [events.map(({ job }) => job), asked]) {
      const between = seen.filter(({ rows: { done }, status }) => status === 'running' && done > 0);
      expect(new Set(between.map((job) => job.rows.done)).size).toBeGreaterThanOrEqual(2);
      for (const job of between) {
        // Postgres knows of none of them yet: nothing is charged.
        expect(job.credits).toEqual({ held: rows, charged: 0, released: 0 });
        expect(job.progress).toBe(job.rows.done / rows);
        expect(job.etaSeconds).toBeGreaterThanOrEqual(0);
      }
    }
    expect(await rig.readJob(token, id)).toMatchObject(events.at(-1)?.job ?? expect.unreachable());
    expect(await redis.exists(`rowloom:live:${id}:1`)).toBe(0);
  });

  test('a stream that breaks off goes on with what is new', async () => {
    const { token } = await rig.user(someone());
    const { id } = await rig.startJob(token, csv);
    const first = await open(token, id);
    const had = await first.until(({ job }) => job.rows.done >= 5);
    first.leave();
    const last = had.at(-1) ?? expect.unreachable();

    const second = await open(token, id, last.id);
    const more = await second.rest();
    expect(more[0]?.id).not.toBe(last.id);
    expectMonotone([...had, ...more].map(({ job }) => job));
    expect(more.at(-1)).toMatchObject({ event: 'done', job: { status: 'completed' } });
    expect(second.text).toMatch(/^retry: \d+$/m);

    // Whoever has all of it hears the end alone; whoever has revision of it, what has moved and the end.
    const names = async (lastEventId: string | undefined) =>
      (await (await open(token, id, lastEventId)).rest()).map(({ event }) => event);
    expect(await names(more.at(-1)?.id)).toEqual(['done']);
    expect(await names(last.id)).toEqual(['progress', 'done']);
    expect(await names('none of ours')).toEqual(['progress', 'done']);
  });

  test('Redis down: the job ends as well, its progress comes with the chunk', async () => {
    rig.redis.faults.add({ kind: 'drop' });
    const { token } = await rig.user(someone());
    const { id } = await rig.startJob(token, csv);
    const events = await (await open(token, id)).rest();
    expect(events.map(({ event, job }) => [event, job.rows.done])).toEqual([
      ['progress', 0],
      ['progress', 60],
      ['done', 60],
    ]);
    expect(events.at(-1)?.job.credits).toEqual({ held: 0, charged: 59, released: 1 });
  });
});

test('through a proxy that compresses, events come before the end all the same', async () => {
  const proxy = await startCompressingProxy(rig.url);
  onTestFinished(proxy.close);
  const { token } = await rig.user(someone());
  // A job that does not end: it waits for its file.
  const { id } = await rig.createJob(token);
  const stream = await JobStream.open(proxy.url, token, id);
  const events = await Promise.race([stream.until(() => true), delay(5000, [])]);
  expect(events.map(({ job }) => job.status)).toEqual(['created']);
  stream.leave();
  // The proxy does compress, or this would prove nothing.
  const headers = { authorization: `Bearer ${token}` };
  const job = await fetch(`${proxy.url}/v1/jobs/${id}`, { headers });
  expect(job.headers.get('content-encoding')).toBe('gzip');
  expect(await job.json()).toMatchObject({ id });
});

test('a client that has gone is not worked for: nobody asks Redis any more', async () => {
  const { token } = await rig.user(someone());
  // A running job that nobody works on: QStash could not send its message.
  rig.qstash.faults.add({ on: 'message', kind: 'status' });
  onTestFinished(() => rig.qstash.faults.clear());
  const { id } = await rig.startJob(token, companies(6));
  const commands = async () => {
    const answer = await fetch(`${rig.redis.url}/_local/state`);
    return ((await answer.json()) as { commands: number }).commands;
  };
  const stream = await open(token, id);
  await stream.until(() => true);
  const before = await commands();
  await waitFor(async () => (await commands()) > before + 1);
  stream.leave();
  // workerd learns of it when it has something to say.
  await redis.hset(`rowloom:live:${id}:1`, { 0: `4,1,${Date.now()}` });
  await delay(700);
  const after = await commands();
  await delay(1300);
  expect(await commands()).toBe(after);
  await rig.postQueue('/queue/chunks', JSON.stringify({ jobId: id, run: 1, chunk: 0 }));
  expect(await rig.readJob(token, id)).toMatchObject({ status: 'completed' });
});

test('a client that leaves a quiet stream frees its place soon, and so do the end and HEAD', async () => {
  const { token, me } = await rig.user(someone());
  const { id } = await rig.createJob(token);
  const places = async (): Promise<number> => {
    const text = 'select count(*)::integer as n from event_streams where user_id = $1';
    const { rows: found } = await rig.database.pool.query<{ n: number }>(text, [me.id]);
    return found[0]?.n ?? expect.unreachable();
  };
  const stream = await open(token, id);
  await stream.until(() => true);
  expect(await places()).toBe(1);
  stream.leave();
  // With the next comment or two, long before the lease runs out.
  await waitFor(async () => (await places()) === 0, 20_000);

  await rig.api(`/v1/jobs/${id}/events`, { token, method: 'HEAD' });
  expect(await places()).toBe(0);
  await rig.upload(token, id, companies(2));
  const last = await (await open(token, id)).rest();
  expect(last.at(-1)?.event).toBe('done');
  await waitFor(async () => (await places()) === 0);
});

test('a job that is deleted while it is watched ends the stream, without done', async () => {
  const { token } = await rig.user(someone());
  const { id } = await rig.createJob(token);
  const stream = await open(token, id);
  const had = await stream.until(() => true);
  expect(had.map(({ job }) => job.status)).toEqual(['created']);
  await rig.database.pool.query('delete from jobs where id = $1', [id]);
  expect(await stream.rest()).toEqual([]);
});

test("another user's events are as if there were none; HEAD has the headers alone", async () => {
  const { token } = await rig.user(someone());
  const { id } = await rig.createJob(token);
  const other = await rig.user(someone());
  const path = `/v1/jobs/${id}/events`;
  await expectProblem(await rig.api(path, { token: other.token }), 404, 'not_found');
  const head = await rig.api(path, { token, method: 'HEAD' });
  expect(head.status).toBe(200);
  expect(head.headers.get('content-type')).toBe('text/event-stream');
  expect(await head.text()).toBe('');
});
