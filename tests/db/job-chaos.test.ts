import fc from 'fast-check';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { quickClock, StoryClock } from '../support/chaos-clock.ts';
import { patienceMinutes, plans } from '../support/chaos-plan.ts';
import { providerFailures } from '../support/chaos-providers.ts';
import { bendTime, openRedis } from '../support/chaos-redis.ts';
import { type Stage, Story } from '../support/chaos-story.ts';
import { Tally } from '../support/chaos-tally.ts';
import { JobFixture } from '../support/job-fixture.ts';
import { unbounded } from '../support/unbounded.ts';

/**
 * Stories of jobs to which everything happens that can: see chaos-plan.ts for what that is.
 * `CHAOS_RUNS=5000` for a long look; `CHAOS_SEED=…`, or the seed of a failure, plays the same plans
 * again (what runs beside each other may still meet in another order).
 */
const defaultRuns = 60;
/** So many stories meet every kind of trouble. */
const enoughRuns = 300;
const runs = Number(process.env['CHAOS_RUNS'] ?? defaultRuns);
const seed = Number(process.env['CHAOS_SEED'] ?? Math.floor(Math.random() * 2 ** 31));

/** Looking for a shorter story that fails takes minutes: only with `CHAOS_SHRINK=1`. */
const endOnFailure = !process.env['CHAOS_SHRINK'];

/** Stories that are played beside each other, each on a database of its own. */
const lanes = 8;
const speed = 25;

const tally = new Tally();
const closing: (() => Promise<void>)[] = [];
let stages: Stage[] = [];

beforeAll(async () => {
  const begunMs = Date.now();
  const quick = quickClock(speed);
  bendTime();
  stages = await Promise.all(
    Array.from({ length: lanes }, async () => {
      const fixture = await JobFixture.open({
        ...unbounded,
        PROVIDER_PATIENCE_MINUTES: String(patienceMinutes),
      });
      const clock = await StoryClock.open(fixture.database.url, { quick, speed, begunMs });
      Object.assign(fixture.ctx, { now: clock.now });
      const { client: up, close } = await openRedis(clock);
      closing.push(close);
      return { fixture, clock, tally, up, down: fixture.ctx.redis };
    }),
  );
});

afterAll(async () => {
  vi.unstubAllGlobals();
  await Promise.all(stages.map(({ clock }) => clock.close()));
  await Promise.all(stages.map(({ fixture }) => fixture.database.drop()));
  await Promise.all(closing.map((close) => close()));
  vi.restoreAllMocks();
});

/** What must have struck at least once, or the chaos was none. */
const troubles = [
  ...'arrives twice again last lost refused unheard spent outlived killed hurried'
    .split(' ')
    .map((kind) => `delivery: ${kind}`),
  ...'arrives twice again last lost refused unheard spent killed'
    .split(' ')
    .map((kind) => `callback: ${kind}`),
  ...['before', 'after'].flatMap((when) =>
    [
      'job_upload_begin',
      'job_upload_append',
      'job_start',
      'job_dispatch',
      'job_cancel',
      'job_retry',
      'jobs_stalled',
      'chunk_lease',
      'chunk_commit',
      'chunks_fail',
      'publish',
    ].map((call) => `cut ${when}: ${call}`),
  ),
  ...['before', 'after'].flatMap((when) =>
    ['chunk_lease', 'search', 'complete', 'chunk_commit', 'job_cancel', 'publish'].map(
      (call) => `killed ${when}: ${call}`,
    ),
  ),
  ...providerFailures,
  'redis: down',
  'lease: outlived',
  'queue: deduplicated',
  'queue: gave up',
  'chunk_commit: of a part',
  'chunk_commit: stale',
  'chunk_commit: gone',
  'upload: twice',
  'upload: cut off',
  'upload: killed',
  'upload: insufficient_credits',
  'cancel: ok',
  'retry: ok',
  'delete: ok',
  'read: ok',
  'end: completed',
  'end: cancelled',
  'end: deleted',
  'end: awaiting_credits',
];

test(
  'whatever happens: every row once and in order, credits for what is ok, and the job ends',
  async () => {
    const began = performance.now();
    const played = await Promise.allSettled(
      stages.map((stage, lane) =>
        fc.assert(
          fc.asyncProperty(plans, (plan) => new Story(stage, plan).play()),
          { seed: seed + lane, numRuns: Math.ceil(runs / lanes), endOnFailure },
        ),
      ),
    );
    const seconds = ((performance.now() - began) / 1000).toFixed(1);
    console.log(
      [`chaos: CHAOS_SEED=${seed} CHAOS_RUNS=${runs}, ${seconds} s`, ...tally.lines()].join('\n'),
    );
    for (const outcome of played) if (outcome.status === 'rejected') throw outcome.reason;
    if (runs >= enoughRuns)
      expect(tally.missing(troubles), 'troubles that never struck').toEqual([]);
    expect(tally.of('rows: ok')).toBeGreaterThan(tally.of('rows: error') / 2);
  },
  // An outage that is longer than the patience takes half a minute of the story's clock.
  120_000 + runs * 4000,
);
