import { describe, expect, test } from 'vitest';
import type { Ctx } from '../../functions/context.ts';
import { DomainError } from '../../functions/errors.ts';
import { streamJobEvents, type JobEvent } from '../../functions/jobs/stream-job-events.ts';
import type { JobRow } from '../../functions/jobs/job-row.ts';
import { liveField } from '../../functions/processing/live-progress.pure.ts';
import { jobRow } from '../support/job-row.ts';

const begin = Date.parse('2026-10-01T12:00:00Z');

type World = {
  /** What Postgres says at a second: a job, or what it throws; null once it is deleted. */
  job: (second: number) => JobRow | Error | null;
  /** Rows that ended but are not committed; undefined: Redis is down. */
  live?: (second: number) => number | undefined;
  lastEventId?: string;
  /** The second at which the client goes. */
  goneAt?: number;
};

/** Follows a job through a made-up time, which passes only while the stream waits. */
async function follow(world: World) {
  let second = 0;
  const asked = { postgres: [] as number[], redis: [] as number[] };
  const now = () => new Date(begin + second * 1000);
  const redis = {
    hgetall: async () => {
      asked.redis.push(second);
      const rows = (world.live ?? (() => 0))(second);
      if (rows === undefined) throw new Error('down');
      return { 0: liveField({ succeeded: rows, failed: 0 }, now().getTime()) };
    },
  };
  const db = {
    rows: async () => {
      asked.postgres.push(second);
      const job = world.job(second);
      if (job instanceof Error) throw job;
      return job ? [{ job }] : [];
    },
  };
  const lines: string[] = [];
  const ctx = { db, redis, now, log: (event: string) => lines.push(event) } as unknown as Ctx;
  const gone = new AbortController();
  const wait = async (ms: number): Promise<void> => {
    second += ms / 1000;
    if (world.goneAt !== undefined && second >= world.goneAt) gone.abort();
  };
  const job = world.job(0);
  if (!job || job instanceof Error) throw new Error('A stream begins with a job.');
  const told: (JobEvent & { second: number })[] = [];
  const input = { job, lastEventId: world.lastEventId, signal: gone.signal };
  for await (const event of streamJobEvents(ctx, input, wait)) told.push({ ...event, second });
  const said = told.map((event) =>
    event.event === 'quiet' ? 'quiet' : `${event.event} ${event.job.rows.done} ${event.job.status}`,
  );
  return { told, said, asked, lines, endedAt: second };
}

const running = (done: number): JobRow =>
  jobRow({
    status: 'running',
    rows_total: 100,
    rows_done: done,
    rows_succeeded: done,
    started_at: '2026-10-01T12:00:00+00:00',
  });
const completed = jobRow({
  status: 'completed',
  rows_total: 100,
  rows_done: 100,
  rows_succeeded: 100,
});
const down = new DomainError('service_unavailable');

describe('a stream of progress', () => {
  test('tells of rows as they end, then done, and ends', async () => {
    const { said } = await follow({
      job: (second) => (second < 3 ? running(second < 2 ? 0 : 60) : completed),
      live: (second) => (second < 2 ? second * 20 : 0),
    });
    expect(said).toEqual([
      'progress 0 running',
      'progress 10 running',
      'progress 20 running',
      'progress 30 running',
      'progress 60 running',
      'progress 100 completed',
      'done 100 completed',
    ]);
  });

  test('asks Postgres once a second and Redis twice while it runs, and slowly while it waits', async () => {
    const { asked } = await follow({
      job: (second) => (second < 4 ? jobRow() : second < 7 ? running(0) : completed),
    });
    expect(asked.postgres).toEqual([2, 4, 5, 6, 7]);
    expect(asked.redis).toEqual([4, 4.5, 5, 5.5, 6, 6.5]);
  });

  test('a chunk between its end and its commit, or worked anew, takes no row back', async () => {
    const { told } = await follow({
      job: (second) => (second < 5 ? running(0) : completed),
      live: (second) => [40, 0, 3, 55, 0][Math.floor(second)] ?? 0,
    });
    const rows = told.flatMap((event) => (event.event === 'progress' ? [event.job.rows.done] : []));
    expect(rows).toEqual([40, 55, 100]);
  });

  test('without Redis it goes by chunks, and does not ask a dead Redis at every turn', async () => {
    const { said, asked, lines } = await follow({
      job: (second) => (second < 3 ? running(0) : second < 9 ? running(60) : completed),
      live: () => undefined,
    });
    expect(said).toEqual([
      'progress 0 running',
      'progress 60 running',
      'quiet',
      'progress 100 completed',
      'done 100 completed',
    ]);
    expect(asked.redis).toEqual([0, 5]);
    expect(lines).toEqual(['redis_unavailable', 'redis_unavailable']);
  });

  test('after five minutes it ends, with a sign of life at least every 5 s until then', async () => {
    const { told, said, endedAt } = await follow({ job: () => running(7) });
    expect(said[0]).toBe('progress 7 running');
    expect(new Set(said.slice(1))).toEqual(new Set(['quiet']));
    expect(endedAt).toBe(300);
    const times = [...told.map(({ second }) => second), endedAt];
    for (const [i, time] of times.slice(1).entries())
      expect(time - (times[i] ?? 0)).toBeLessThanOrEqual(5.5);
  });

  test('a client that has gone is not asked for any more', async () => {
    const { asked, endedAt } = await follow({ job: () => running(7), goneAt: 2 });
    expect(endedAt).toBe(2);
    expect(asked.postgres).toEqual([1]);
  });

  test('a job that is deleted ends it', async () => {
    const { said, endedAt } = await follow({ job: (second) => (second < 2 ? running(7) : null) });
    expect(said).toEqual(['progress 7 running']);
    expect(endedAt).toBe(2);
  });
});

describe('a database that is down', () => {
  test('for a moment: the stream goes on where it was', async () => {
    const { said, lines } = await follow({
      job: (second) => (second < 2 ? running(7) : second < 14 ? down : completed),
    });
    expect(said).toEqual([
      'progress 7 running',
      'quiet',
      'quiet',
      'progress 100 completed',
      'done 100 completed',
    ]);
    expect(lines).toEqual(['job_events_blind']);
  });

  test('for 30 s: the stream ends, for the client to come again', async () => {
    const { endedAt } = await follow({ job: (second) => (second < 2 ? running(7) : down) });
    expect(endedAt).toBe(32);
  });

  test('now and then: each time counts for itself', async () => {
    const { said } = await follow({
      job: (second) =>
        second === 0 || second % 20 === 0 ? running(7) : second < 90 ? down : completed,
    });
    expect(said.at(-1)).toBe('done 100 completed');
  });
});

describe('Last-Event-ID', () => {
  const idAt = async (done: number) => {
    const { told } = await follow({ job: (second) => (second ? completed : running(done)) });
    const [first] = told;
    return first?.event === 'progress' ? first.id : expect.unreachable();
  };

  test('what the client has is not sent again, only a sign of life', async () => {
    const { said } = await follow({
      lastEventId: await idAt(40),
      job: (second) => (second < 2 ? running(40) : second < 3 ? running(60) : completed),
    });
    expect(said).toEqual([
      'quiet',
      'progress 60 running',
      'progress 100 completed',
      'done 100 completed',
    ]);
  });

  test('rows that were shown stay shown, though Redis has forgotten them', async () => {
    const { said } = await follow({
      lastEventId: await idAt(40),
      job: (second) => (second < 2 ? running(0) : second < 3 ? running(60) : completed),
    });
    expect(said.slice(0, 2)).toEqual(['quiet', 'progress 60 running']);
  });

  test('a job that has ended meanwhile is told at once', async () => {
    const { said, endedAt } = await follow({
      lastEventId: await idAt(40),
      job: () => completed,
    });
    expect(said).toEqual(['progress 100 completed', 'done 100 completed']);
    expect(endedAt).toBe(0);
  });

  test('a client that saw the end but not its event gets that alone', async () => {
    const { told } = await follow({ job: () => completed });
    const [first] = told;
    const lastEventId = first?.event === 'progress' ? first.id : expect.unreachable();
    const { said } = await follow({ lastEventId, job: () => completed });
    expect(said).toEqual(['done 100 completed']);
  });

  test('one that is none of ours starts from the beginning', async () => {
    const { said } = await follow({ lastEventId: 'else', job: () => completed });
    expect(said).toEqual(['progress 100 completed', 'done 100 completed']);
  });
});
