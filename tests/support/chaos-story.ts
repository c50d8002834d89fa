import { retryJob } from '../../functions/jobs/retry-job.ts';
import type { Redis } from '@upstash/redis';
import { cancelJob } from '../../functions/jobs/cancel-job.ts';
import { createJob } from '../../functions/jobs/create-job.ts';
import { deleteJob } from '../../functions/jobs/delete-job.ts';
import { failChunk } from '../../functions/processing/fail-chunks.ts';
import { processChunk } from '../../functions/processing/process-chunk.ts';
import {
  probeForgottenProviders,
  probeUntilBack,
} from '../../functions/processing/probe-providers.ts';
import { endOverdueCancels } from '../../functions/jobs/end-overdue-stops.ts';
import { giveUpWaitingJobs } from '../../functions/jobs/give-up-waiting-jobs.ts';
import { startJob } from '../../functions/jobs/start-job.ts';
import { startAwaitingJobs } from '../../functions/jobs/start-awaiting-jobs.ts';
import { uploadInput } from '../../functions/jobs/upload-input.ts';
import { UploadAccount } from '../../functions/jobs/upload-memory.ts';
import { recoverStalledJobs } from '../../functions/jobs/recover-stalled-jobs.ts';
import { settleDueUsers } from '../../functions/ledger/due.ts';
import { DomainError, type ErrorCode } from '../../functions/errors.ts';
import { blankRow, checkEnd, checkReading, remember, type Told } from './chaos-checks.ts';
import { Isolate, isStruck, type Life, type World } from './chaos-isolate.ts';
import type { StoryClock } from './chaos-clock.ts';
import { type Act, type Fate, type Plan, type Verb } from './chaos-plan.ts';
import { ChaosProviders } from './chaos-providers.ts';
import { ChaosQueue, type Delivery } from './chaos-queue.ts';
import type { Tally } from './chaos-tally.ts';
import { ChaosWatch } from './chaos-watch.ts';
import { type JobFixture, streamOf } from './job-fixture.ts';

export type Stage = {
  fixture: JobFixture;
  clock: StoryClock;
  tally: Tally;
  up: Redis;
  down: Redis;
};

/** Who asks: an isolate that dies at this call, or one that lives. */
type By = Pick<Act, 'strike'>;

/** Rounds of the cron that a job may take to its end once nothing fails any more. */
const mostRounds = 30;
const minuteMs = 60_000;
/** Longer than a lease, and than the watchdog waits at first; much less than the patience. */
const actMs = 3 * minuteMs;
/** Longer than the watchdog ever leaves a job alone. */
const watchdogMs = 17 * minuteMs;
const mostUploads = 12;

/** What a user may be told; anything else is wrong. */
const answers: Record<Verb | 'upload', ErrorCode[]> = {
  cancel: ['job_not_open', 'not_found'],
  retry: ['job_not_open', 'job_running', 'nothing_to_retry', 'insufficient_credits', 'not_found'],
  start: ['job_not_open', 'insufficient_credits', 'not_found'],
  delete: ['not_found'],
  upload: [
    'job_not_open',
    'upload_superseded',
    'upload_interrupted',
    'insufficient_credits',
    'not_found',
  ],
  read: ['not_found', 'no_output', 'rows_expired'],
  'top up': [],
  'minutes pass': [],
};

/** Stories so far: each has leads of its own, since all share one Redis. */
let stories = 0;

/** The file of a job: no two rows are alike. Research about companies goes through the cache. */
const fileOf = (
  story: number,
  job: number,
  { rows, blanks }: Pick<Plan['jobs'][number], 'rows' | 'blanks'>,
): Pick<Told, 'header' | 'rows'> => ({
  header: story % 2 === 0 ? 'name,city' : 'company,city',
  rows: Array.from({ length: rows }, (_, i) => [
    ...blanks.filter((before) => before % rows === i).map(() => blankRow),
    `lead ${story * 10_000 + job * 1000 + i},"Bonn, ${i}"`,
  ]).flat(),
});

/** A body that breaks off after some bytes. */
const cutBody = (text: string, afterBytes: number): ReadableStream<Uint8Array> =>
  new ReadableStream({
    start(controller) {
      controller.enqueue(new TextEncoder().encode(text.slice(0, afterBytes)));
    },
    pull(controller) {
      controller.error(new TypeError('the caller went away'));
    },
  });

/** Plays a plan on real Postgres, lets it grow calm, and checks what a user and an auditor would. */
export class Story {
  readonly #plan: Plan;
  readonly #stage: Stage;
  readonly #world: World;
  readonly #queue: ChaosQueue;
  readonly #providers: ChaosProviders;
  readonly #acts: Act[];
  readonly #beside: Promise<void>[] = [];
  readonly #jobs: Told[] = [];
  readonly #failed: unknown[] = [];
  #userId = '';
  #bought = 0;
  #uploading = 0;
  #isolates = 0;

  constructor(stage: Stage, plan: Plan) {
    const { fixture, tally, clock } = stage;
    const { now } = clock;
    this.#plan = plan;
    this.#stage = stage;
    const [bring, passUntil] = [this.#bring, this.#passUntil];
    this.#queue = new ChaosQueue(plan.fates, { tally, clock, bring, passUntil });
    this.#providers = new ChaosProviders(plan.providers, { tally, now });
    this.#acts = plan.acts.toSorted((a, b) => a.at - b.at);
    this.#world = {
      ctx: fixture.ctx,
      tally,
      now,
      cuts: plan.cuts,
      seen: new Map(),
      surprises: [],
      redis: { current: this.#redis },
      providers: this.#providers,
      queue: this.#queue,
      watch: new ChaosWatch(),
    };
  }

  async play(): Promise<void> {
    const rows = this.#plan.jobs.map((job) => job.rows);
    const credits = { all: 500, one: Math.max(...rows), none: 0 }[this.#plan.credits];
    this.#bought = credits;
    await this.#stage.up.flushall();
    // A story that failed may have left this behind.
    this.#stage.clock.forget();
    await this.#stage.fixture.query('delete from paused_lanes; delete from providers');
    const story = stories;
    stories += 1;
    this.#userId = await this.#stage.fixture.newUser(credits);
    for (const [k, planned] of this.#plan.jobs.entries()) {
      const { job } = await createJob(this.#stage.fixture.ctx, {
        userId: this.#userId,
        filename: 'a.csv',
      });
      this.#jobs.push({ id: job.id, ...fileOf(story, k, planned), ok: new Map(), deleted: false });
    }
    await this.#chaos();
    await this.#calm();
    await this.#allIsBack();
    if (this.#failed.length > 0) throw this.#failed[0];
    this.#world.watch.check();
    await checkEnd(this.#stage, {
      userId: this.#userId,
      jobs: this.#jobs,
      bought: this.#bought,
      surprises: this.#world.surprises,
      providers: this.#plan.providers,
    });
  }

  /** Uploads, deliveries and what people do, all beside each other, until nothing is left to do. */
  async #chaos(): Promise<void> {
    this.#onStep(0);
    for (;;) {
      await Promise.all(this.#beside.splice(0));
      await this.#queue.run(this.#onStep);
      if (this.#beside.length > 0) continue;
      const next = Math.min(this.#acts[0]?.at ?? Infinity, this.#nextUpload());
      if (next === Infinity) return;
      this.#onStep(next);
    }
  }

  #nextUpload = (): number => this.#plan.jobs[this.#uploading]?.at ?? Infinity;

  #onStep = (begun: number): void => {
    while (this.#nextUpload() <= begun) {
      this.#uploading += 1;
      this.#besides(this.#upload(this.#uploading - 1));
    }
    while ((this.#acts[0]?.at ?? Infinity) <= begun) {
      const act = this.#acts.shift();
      if (act) this.#besides(this.#act(act));
    }
  };

  #besides(work: Promise<void>): void {
    this.#beside.push(work.catch((error: unknown) => void this.#failed.push(error)));
  }

  /** Time passes, the cron fires, all arrives: every job ends within a few rounds. */
  async #calm(): Promise<void> {
    this.#queue.calm();
    this.#providers.calm();
    this.#world.cuts = [];
    for (let round = 1; ; round += 1) {
      await this.#queue.run(this.#onStep);
      await this.#startWaiting();
      await this.#queue.run(this.#onStep);
      const open = await this.#stage.fixture.query(
        "select status from jobs where user_id = $1 and status in ('running', 'uploading', 'created')",
        [this.#userId],
      );
      if (open.length === 0) break;
      if (round > mostRounds)
        throw new Error(`A job does not end: ${JSON.stringify(open)} after ${mostRounds} rounds`);
      this.#stage.tally.count(`calm: round ${round}`);
      // While somebody waits for a provider the cron comes every minute, as it does.
      await this.#minutesPass({ strike: null }, (await this.#isAway()) ? minuteMs : watchdogMs);
    }
  }

  /** Providers work, and so everybody finds out: none stays open, no lane is held back. */
  async #allIsBack(): Promise<void> {
    for (let round = 1; (await this.#isAway()) || this.#queue.paused.size > 0; round += 1) {
      if (round > mostRounds) {
        const { paused } = this.#queue;
        throw new Error(`Still away: ${await this.#isAway()}; held back: ${[...paused].join()}`);
      }
      await this.#queue.run(this.#onStep);
      await this.#minutesPass({ strike: null }, minuteMs);
    }
  }

  async #isAway(): Promise<boolean> {
    const open = await this.#stage.fixture.query(
      'select 1 from providers where opened_at is not null',
    );
    return open.length > 0;
  }

  /** Nothing can be delivered before then. */
  #passUntil = async (dueMs: number): Promise<void> => {
    const { clock } = this.#stage;
    const waitMs = dueMs - clock.now().getTime();
    if (waitMs > minuteMs && (await this.#isAway()))
      await this.#minutesPass({ strike: null }, minuteMs);
    else await clock.advance(Math.max(1, waitMs));
  };

  /** Jobs that await credits are started as far as the credits go. */
  async #startWaiting(): Promise<void> {
    for (const [job, { id }] of this.#jobs.entries()) {
      const [row] = await this.#stage.fixture.query('select status from jobs where id = $1', [id]);
      if (row?.['status'] === 'awaiting_credits')
        await this.#act({ at: 0, verb: 'start', job, strike: null });
    }
  }

  #redis = (): Redis => {
    const { redis } = this.#plan;
    this.#isolates += 1;
    const isUp = redis === 'up' || (redis === 'flaps' && this.#isolates % 2 === 0);
    this.#stage.tally.count(isUp ? 'redis: up' : 'redis: down');
    return isUp ? this.#stage.up : this.#stage.down;
  };

  /** The Worker's answer to a delivery; a rejection is anything but 2xx. */
  #bring = async (delivery: Delivery, fate: Fate): Promise<void> => {
    const life: Life = fate.kind === 'killed' ? { strike: fate.strike } : {};
    if (fate.kind === 'hurried') {
      life.slowMs = fate.limits.stopMs;
      life.config = { parallelRowsPerInvocation: 2 };
    }
    if (delivery.kind === 'probe') return this.#bringProbe(delivery, life);
    const { message } = delivery;
    const { query } = this.#stage.fixture;
    const leaseEnds = () =>
      query(
        "update job_chunks set lease_until = clock_timestamp() - interval '1 second' where job_id = $1 and index = $2 and lease_until is not null",
        [message.jobId, message.chunk],
      );
    // The second retry comes more than a lease after the first try.
    if (delivery.retried >= 2) await leaseEnds();
    if (fate.kind === 'outlived' && delivery.kind === 'chunk')
      life.onLease = async () => {
        this.#stage.tally.count('lease: outlived');
        await leaseEnds();
        const { limits } = fate;
        const next: Fate = limits ? { kind: 'hurried', limits } : { kind: 'arrives' };
        await this.#bring({ ...delivery, retried: 0 }, next).catch(() => undefined);
      };
    const limits = fate.kind === 'hurried' ? fate.limits : undefined;
    const work = ({ ctx, slots }: Isolate) =>
      delivery.kind === 'chunk'
        ? processChunk(ctx, message, slots, limits)
        : failChunk(ctx, message, 'Could not be processed');
    await this.#judged(['busy'], async () => {
      const isolate = new Isolate(this.#world, life);
      const end = await isolate.run(work).catch((error: unknown) => {
        isolate.lost();
        throw error;
      });
      if (end.outcome !== 'committed') isolate.lost();
      this.#stage.tally.count(`chunk: ${end.outcome}`);
    });
    const told = this.#jobs.find(({ id }) => id === message.jobId);
    const of = { userId: this.#userId, jobId: message.jobId };
    if (told && !told.deleted)
      await remember(this.#stage.fixture.ctx, of, told).catch((error: unknown) => {
        if (!told.deleted) this.#failed.push(error);
      });
  };

  #bringProbe = ({ provider }: { provider: string }, life: Life): Promise<void> =>
    this.#judged([], async () => {
      const { sleep: wait } = this.#stage.clock;
      const work = ({ ctx, slots }: Isolate) =>
        probeUntilBack(ctx, { provider }, { fetch: slots.fetch, wait });
      const { works } = await new Isolate(this.#world, life).run(work);
      this.#stage.tally.count(`probe: ${works ? 'it works' : 'still away'}`);
    });

  /** Passes on what fails; an answer that is not among the expected ones fails the story. */
  async #judged(expected: ErrorCode[], work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
    } catch (error) {
      const isExpected = error instanceof DomainError && expected.includes(error.code);
      if (!isExpected && !isStruck(error)) this.#world.surprises.push(`answer: ${String(error)}`);
      throw error;
    }
  }

  async #upload(job: number): Promise<void> {
    const told = this.#jobs[job];
    if (!told) return;
    const text = `${told.header}\n${told.rows.join('\n')}\n`;
    const planned = this.#plan.jobs[job]?.sendings ?? [];
    const of = { userId: this.#userId, jobId: told.id };
    for (let tries = 0; tries < mostUploads; tries += 1) {
      const sending = planned[tries] ?? { kind: 'whole' };
      this.#stage.tally.count(`upload: ${sending.kind}`);
      const body = () =>
        sending.kind === 'cut off' ? cutBody(text, sending.afterBytes) : streamOf(text);
      const send = () =>
        this.#user('upload', { strike: sending.kind === 'killed' ? sending.strike : null }, (ctx) =>
          uploadInput(
            ctx,
            { ...of, body: body(), contentLength: text.length },
            // Isolates that are killed in one story hold nothing in another.
            new UploadAccount(),
          ),
        );
      const ends = await Promise.all(sending.kind === 'twice' ? [send(), send()] : [send()]);
      const isOver = (end: string) => ['ok', 'job_not_open', 'not_found'].includes(end);
      // Beside one that was kept for want of credits another may have begun later, and broken off.
      const isKept = ends.includes('insufficient_credits') && !ends.includes('struck');
      if (isKept || ends.some(isOver)) return;
    }
    throw new Error(`The file could not be sent in ${mostUploads} tries.`);
  }

  /** A user's call on an isolate of its own → `ok`, the code of the refusal, or `struck`. */
  async #user(
    verb: Verb | 'upload',
    { strike }: By,
    work: (ctx: Isolate['ctx'], isolate: Isolate) => Promise<unknown>,
  ): Promise<string> {
    try {
      await this.#judged(answers[verb], () =>
        new Isolate(this.#world, { strike }).run((isolate) => work(isolate.ctx, isolate)),
      );
      this.#stage.tally.count(`${verb}: ok`);
      return 'ok';
    } catch (error) {
      const end = isStruck(error) ? 'struck' : error instanceof DomainError ? error.code : 'bug';
      this.#stage.tally.count(`${verb}: ${end}`);
      return end;
    }
  }

  async #act(act: Act): Promise<void> {
    const told = this.#jobs[act.job] ?? this.#jobs[0];
    if (!told) return;
    const of = { userId: this.#userId, jobId: told.id };
    const verbs: Record<Verb, (act: By) => Promise<unknown>> = {
      cancel: (by) => this.#user('cancel', by, (ctx) => cancelJob(ctx, of)),
      retry: (by) => this.#user('retry', by, (ctx) => retryJob(ctx, of)),
      start: (by) => this.#user('start', by, (ctx) => startJob(ctx, of)),
      read: (by) => this.#user('read', by, (ctx) => checkReading(ctx, of, told)),
      delete: async (by) => {
        told.deleted = true;
        await this.#user('delete', by, (ctx) => deleteJob(ctx, of));
      },
      'top up': () => this.#topUp(told.rows.length),
      'minutes pass': (by) => this.#minutesPass(by, actMs),
    };
    const end = await verbs[act.verb](act);
    // Whoever hears nothing asks again.
    if (end === 'struck') await verbs[act.verb]({ strike: null });
  }

  async #topUp(credits: number): Promise<void> {
    this.#bought += credits;
    await this.#stage.fixture.topUp(this.#userId, credits);
  }

  /** Minutes in which nothing moves, then the cron. Its probes take no time but that of the story's clock. */
  async #minutesPass(by: By, ms: number): Promise<string> {
    const { clock } = this.#stage;
    await clock.advance(ms);
    return this.#user('minutes pass', by, async (ctx, { slots }) => {
      const runs = await Promise.allSettled([
        endOverdueCancels(ctx),
        recoverStalledJobs(ctx),
        probeForgottenProviders(ctx, {
          fetch: slots.fetch,
          wait: (waitMs) => clock.advance(waitMs),
        }),
        giveUpWaitingJobs(ctx),
        settleDueUsers(ctx),
        startAwaitingJobs(ctx),
      ]);
      for (const run of runs) if (run.status === 'rejected') throw run.reason;
    });
  }
}
