import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, afterAll, beforeEach, describe, expect, test } from 'vitest';
import { createRedis } from '../../functions/clients/redis.ts';
import type { Ctx } from '../../functions/context.ts';
import {
  announceStop,
  createProgress,
  readLive,
} from '../../functions/processing/progress-store.ts';
import { startRedis } from '../../local/redis/index.ts';
import { waitFor } from '../support/worker-client.ts';

const server = await startRedis({ token: 't' });
const redis = createRedis({ url: server.url, token: 't' });

afterAll(() => server.close());

let jobs = 0;
let nowMs: number;
let lines: string[];
let ctx: Ctx;
let job: { id: string; run: number };

beforeEach(() => {
  server.faults.clear();
  jobs += 1;
  job = { id: `job-${jobs}`, run: 1 };
  nowMs = Date.parse('2026-10-01T12:00:00Z');
  lines = [];
  ctx = {
    // A client of its own: how long a Redis is left alone is remembered by client.
    redis: createRedis({ url: server.url, token: 't' }),
    now: () => new Date(nowMs),
    log: (event: string) => lines.push(event),
  } as unknown as Ctx;
});

/** Counts the writes and how many were under way at once. */
function metered() {
  const meter = { calls: 0, now: 0, most: 0 };
  const run = async <T>(work: () => Promise<T>): Promise<T> => {
    meter.calls += 1;
    meter.now += 1;
    meter.most = Math.max(meter.most, meter.now);
    return work().finally(() => {
      meter.now -= 1;
    });
  };
  return { meter, run };
}

const direct = <T>(work: () => Promise<T>): Promise<T> => work();
const writers: ReturnType<typeof createProgress>[] = [];
function writer(chunk = 0, run = direct, onStop: (word: string) => void = () => {}) {
  const made = createProgress(ctx, run, { jobId: job.id, run: job.run, chunk }, onStop);
  writers.push(made);
  return made;
}
afterEach(() => {
  for (const made of writers.splice(0)) made.close();
});

async function rows(progress: ReturnType<typeof writer>, count: number, ok = true) {
  for (let i = 0; i < count; i += 1) progress.row(ok);
  // Longer than a write to loopback takes.
  await delay(30);
}

describe('rows of a chunk at work', () => {
  test('are seen from the fifth on, and gone at the end of the chunk', async () => {
    const progress = writer();
    await rows(progress, 4);
    expect(await readLive(ctx, job)).toEqual({ succeeded: 0, failed: 0 });
    await rows(progress, 1, false);
    expect(await readLive(ctx, job)).toEqual({ succeeded: 4, failed: 1 });
    await rows(progress, 4);
    expect(await readLive(ctx, job)).toEqual({ succeeded: 4, failed: 1 });
    await progress.end();
    expect(await readLive(ctx, job)).toEqual({ succeeded: 0, failed: 0 });
    expect(await redis.exists(`rowloom:live:${job.id}:1`)).toBe(0);
  });

  test('of several chunks add up; those of another run or job are apart', async () => {
    const chunks = [writer(0), writer(1), writer(7)];
    await Promise.all(chunks.map((progress) => rows(progress, 6)));
    expect(await readLive(ctx, job)).toEqual({ succeeded: 18, failed: 0 });
    await chunks[1]?.end();
    expect(await readLive(ctx, job)).toEqual({ succeeded: 12, failed: 0 });
    expect(await readLive(ctx, { ...job, run: 2 })).toEqual({ succeeded: 0, failed: 0 });
    expect(await readLive(ctx, { ...job, id: 'other' })).toEqual({ succeeded: 0, failed: 0 });
  });

  test('cost one write for five rows at most, one at a time, however they come', async () => {
    const { meter, run } = metered();
    const progress = writer(0, run);
    for (let i = 0; i < 60; i += 1) {
      progress.row(i % 7 > 0);
      await delay(i % 3);
    }
    await progress.end();
    expect(meter.most).toBe(1);
    // The last call is the end's.
    expect(meter.calls - 1).toBeLessThanOrEqual(60 / 5);
    expect(meter.calls - 1).toBeGreaterThan(3);
  });

  test('a write that waits for its slot tells of the rows that ended meanwhile', async () => {
    let admit = (): void => undefined;
    const gate = new Promise<void>((resolve) => {
      admit = resolve;
    });
    const progress = writer(0, async (work) => {
      await gate;
      return work();
    });
    await rows(progress, 5);
    await rows(progress, 12);
    admit();
    await delay(30);
    expect(await readLive(ctx, job)).toEqual({ succeeded: 17, failed: 0 });
    await progress.end();
  });

  test('rows that end with the chunk are not written first: the commit does not wait for it', async () => {
    const progress = writer();
    const { commands } = await state();
    for (let i = 0; i < 20; i += 1) progress.row(true);
    await progress.end();
    await delay(30);
    // The removal, and nothing before or after it.
    expect((await state()).commands).toBe(commands + 1);
  });

  test('a killed invocation counts until its chunk is worked again, or as long as its lease', async () => {
    await rows(writer(0), 10);
    await rows(writer(1), 10);
    expect(await readLive(ctx, job)).toEqual({ succeeded: 20, failed: 0 });
    nowMs += 30_000;
    const again = writer(0);
    await rows(again, 5);
    expect(await readLive(ctx, job)).toEqual({ succeeded: 15, failed: 0 });
    nowMs += 30_000;
    expect(await readLive(ctx, job)).toEqual({ succeeded: 5, failed: 0 });
    await again.end();
    expect(await readLive(ctx, job)).toEqual({ succeeded: 0, failed: 0 });
  });

  test('a short chunk takes out what a killed invocation left of it', async () => {
    await rows(writer(0), 5);
    const again = writer(0);
    again.row(true);
    await again.end();
    expect(await readLive(ctx, job)).toEqual({ succeeded: 0, failed: 0 });
  });

  test('leave nothing in Redis for good', async () => {
    await rows(writer(), 5);
    const seconds = await redis.ttl(`rowloom:live:${job.id}:1`);
    expect(seconds).toBeGreaterThan(500);
    expect(seconds).toBeLessThanOrEqual(600);
  });
});

describe('a job that was cancelled', () => {
  test('stops its invocations at their next write, each once', async () => {
    const stops: string[] = [];
    const progress = writer(0, direct, (word) => void stops.push(word));
    await rows(progress, 5);
    expect(stops).toEqual([]);
    nowMs += 1000;
    await announceStop(ctx, job.id, 'cancel');
    await rows(progress, 5);
    expect(stops).toEqual(['cancel']);
    await rows(progress, 5);
    expect(stops).toHaveLength(1);
    await progress.end();
  });

  test('or paused, hears of it within a second, though no row ends', async () => {
    const stops: string[] = [];
    writer(0, direct, (word) => void stops.push(word));
    nowMs += 1000;
    await announceStop(ctx, job.id, 'pause');
    await waitFor(() => stops.length > 0);
    expect(stops).toEqual(['pause']);
  });

  test('can be run again: the new run is not stopped', async () => {
    await announceStop(ctx, job.id, 'cancel');
    nowMs += 50;
    job = { ...job, run: 2 };
    const stops: string[] = [];
    const progress = writer(0, direct, (word) => void stops.push(word));
    await rows(progress, 10);
    expect(stops).toEqual([]);
    await progress.end();
  });
});

describe('Redis', () => {
  test('down: no error, no rows, one run of a writer, one of the readers in five seconds', async () => {
    server.faults.add({ kind: 'drop' });
    const { meter, run } = metered();
    const progress = writer(0, run);
    // As long as the client's own second try takes.
    for (let i = 0; i < 20; i += 1) await rows(progress, 5);
    await progress.end();
    expect(meter.calls).toBe(1);
    await announceStop(ctx, job.id, 'cancel');
    for (let i = 0; i < 5; i += 1)
      expect(await readLive(ctx, job)).toEqual({ succeeded: 0, failed: 0 });
    expect(lines).toEqual(['redis_unavailable']);
    nowMs += 5000;
    server.faults.clear();
    await rows(writer(1), 5);
    expect(await readLive(ctx, job)).toEqual({ succeeded: 5, failed: 0 });
  });

  test('hanging: rows do not wait for it, and the end of a chunk only a moment', async () => {
    server.faults.add({ kind: 'latency', ms: 600 });
    const progress = writer();
    const { commands } = await state();
    const start = performance.now();
    for (let i = 0; i < 60; i += 1) progress.row(true);
    expect(performance.now() - start).toBeLessThan(50);
    await delay(10);
    const ending = performance.now();
    await progress.end();
    expect(performance.now() - ending).toBeLessThan(450);
    server.faults.clear();
    // The write of three commands arrives yet; the removal follows it, so nothing stays.
    await waitFor(async () => (await state()).commands === commands + 4);
    expect(await redis.hlen(`rowloom:live:${job.id}:1`)).toBe(0);
  });

  test('broken in the middle: what was written is still taken out', async () => {
    const progress = writer();
    await rows(progress, 5);
    server.faults.add({ kind: 'status', status: 500, times: 1 });
    await rows(progress, 5);
    await progress.end();
    expect(await readLive(ctx, job)).toEqual({ succeeded: 0, failed: 0 });
  });

  test('a wrong kind of key is no error either', async () => {
    await redis.set(`rowloom:live:${job.id}:1`, 'not a hash');
    const progress = writer();
    await rows(progress, 5);
    await progress.end();
    expect(await readLive(ctx, job)).toEqual({ succeeded: 0, failed: 0 });
  });
});

async function state(): Promise<{ commands: number }> {
  const answer = await fetch(`${server.url}/_local/state`);
  return (await answer.json()) as { commands: number };
}
