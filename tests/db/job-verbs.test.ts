import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cancelJob } from '../../functions/jobs/cancel-job.ts';
import { changeJob, type JobChange } from '../../functions/jobs/change-job.ts';
import { createJob } from '../../functions/jobs/create-job.ts';
import { deleteJob } from '../../functions/jobs/delete-job.ts';
import { endOverdueCancels, endOverduePauses } from '../../functions/jobs/end-overdue-stops.ts';
import { pauseJob, resumeJob } from '../../functions/jobs/pause-job.ts';
import { readJob } from '../../functions/jobs/read-job.ts';
import { recoverStalledJobs } from '../../functions/jobs/recover-stalled-jobs.ts';
import { retryJob } from '../../functions/jobs/retry-job.ts';
import { sampleJob } from '../../functions/jobs/sample-job.ts';
import { startJob } from '../../functions/jobs/start-job.ts';
import { DomainError } from '../../functions/errors.ts';
import { leaseChunk } from '../../functions/processing/lease-chunk.ts';
import { processChunk } from '../../functions/processing/process-chunk.ts';
import type { ChunkMessage } from '../../functions/processing/publish-chunks.ts';
import { JobFixture, slotsOf } from '../support/job-fixture.ts';
import { assertBooksHold } from '../support/ledger-invariants.ts';

let fixture: JobFixture;
beforeAll(async () => {
  fixture = await JobFixture.open({ RETRIES_PER_JOB: '100', PARALLEL_INVOCATIONS: '4' });
});
afterAll(() => fixture.close());

const credits = 60;
/** Rows of which the third and the eighth are the same as the second, and the last is empty. */
const file = (rows: number): string =>
  `name,city\n${Array.from({ length: rows }, (_, i) => `lead ${i === 2 || i === 7 ? 1 : i},Bonn\n`).join('')},\n`;

type Stored = { status: string; cells?: string[]; before?: { status: string; cells?: string[] } };

/** A job, and every answer of a model that its results have ever held: each is one that is charged. */
class Story {
  #serial = 0;
  readonly #charged = new Set<string>();
  failing: readonly string[] = [];
  readonly of: { userId: string; jobId: string };

  private constructor(of: { userId: string; jobId: string }) {
    this.of = of;
  }

  static async begin(rows: number): Promise<Story> {
    const userId = await fixture.newUser(credits);
    const { job } = await createJob(fixture.ctx, {
      userId,
      filename: 'leads.csv',
      options: { start: 'manual' },
    });
    fixture.published = [];
    const story = new Story({ userId, jobId: job.id });
    const ready = await fixture.upload(userId, job.id, file(rows));
    expect(ready).toMatchObject({ status: 'ready', credits: { held: 0 } });
    return story;
  }

  providers = () =>
    slotsOf(async (url, init, _timeout, read) => {
      const body = init.body as string;
      if (url.endsWith('/search'))
        return read(Response.json({ organic: [{ title: 'Found', snippet: 'it' }] }));
      const name = /name: (lead \d+)/.exec(body)?.[1] ?? 'nobody';
      if (this.failing.includes(name)) return read(new Response('no', { status: 400 }));
      this.#serial += 1;
      const category = JSON.stringify({ category: `Kind #${this.#serial}`, reason: 'So.' });
      const text = body.includes('"json_schema"')
        ? category
        : `Subject: Hello\n\nDear ${name}, this is mail #${this.#serial}. Shall we talk?`;
      const chunk = { choices: [{ delta: { content: text }, finish_reason: 'stop' }] };
      return read(new Response(`data: ${JSON.stringify(chunk)}\n\ndata: [DONE]\n\n`));
    });

  job = () => readJob(fixture.ctx, this.of);
  messages = (): ChunkMessage[] =>
    fixture.messages().filter(({ jobId }) => jobId === this.of.jobId);
  deliver = (message: ChunkMessage) => processChunk(fixture.ctx, message, this.providers());

  /** What must hold at any moment at which nothing is under way. */
  async check(): Promise<void> {
    const { jobId, userId } = this.of;
    const chunks = await fixture.query<{ results: Stored[] | null }>(
      'select results from job_chunks where job_id = $1',
      [jobId],
    );
    for (const result of chunks.flatMap(({ results }) => results ?? []))
      for (const cell of [...(result?.cells ?? []), ...(result?.before?.cells ?? [])])
        for (const [serial] of cell.matchAll(/#\d+/g)) this.#charged.add(serial);
    const job = await this.job();
    const { rows } = job;
    expect(rows.done).toBe(rows.succeeded + rows.failed + rows.skipped);
    expect(await fixture.credits(userId)).toEqual({
      balance: credits - job.credits.held - (await this.#paid(job)),
      held: job.credits.held,
    });
    await assertBooksHold(fixture.database.pool);
  }

  /** Charged when its run is over. */
  async #paid({ credits: { charged, held } }: { credits: { charged: number; held: number } }) {
    if (held === 0) expect(charged).toBe(this.#charged.size);
    else expect(charged).toBeLessThanOrEqual(this.#charged.size);
    return charged;
  }

  /** All leases run out, and the clock comes. */
  async sweep(): Promise<void> {
    const { jobId } = this.of;
    await fixture.expireLeases(jobId);
    await fixture.query(
      `update jobs set progress_at = now() - interval '1 hour', dispatched_at = now() - interval '1 hour',
          pause_at = pause_at - interval '1 hour', cancel_at = cancel_at - interval '1 hour' where id = $1`,
      [jobId],
    );
    await endOverdueCancels(fixture.ctx);
    await endOverduePauses(fixture.ctx);
    await recoverStalledJobs(fixture.ctx);
  }

  /** Whatever it was at, nothing stays on hold, and what was charged is what was paid for. */
  async remove(): Promise<void> {
    const { charged } = (await this.job()).credits;
    await deleteJob(fixture.ctx, this.of);
    await assertBooksHold(fixture.database.pool);
    const now = await fixture.credits(this.of.userId);
    expect(now?.held).toBe(0);
    const more = credits - (now?.balance ?? 0) - charged;
    expect(more).toBeGreaterThanOrEqual(0);
    expect(charged + more).toBe(this.#charged.size);
  }

  /** Goes on until the job has ended. */
  async toItsEnd(): Promise<void> {
    this.failing = [];
    for (let rounds = 0; rounds < 40; rounds += 1) {
      const { status } = await this.job();
      if (['completed', 'cancelled', 'failed'].includes(status)) return;
      if (status === 'ready') await startJob(fixture.ctx, this.of);
      else if (status === 'paused') await resumeJob(fixture.ctx, this.of);
      else if (rounds % 3 === 2) await this.sweep();
      for (const message of this.messages()) await this.deliver(message).catch(() => undefined);
    }
    expect(await this.job()).toMatchObject({ status: 'completed' });
  }
}

/** What a user may not do at the moment is refused with a code; anything else is a bug. */
const attempt = (work: Promise<unknown>): Promise<unknown> =>
  work.catch((error: unknown) => {
    if (!(error instanceof DomainError) || error.code === 'internal') throw error;
  });

type Verb =
  | { verb: 'sample'; rows: number }
  | { verb: 'change'; change: JobChange }
  | { verb: 'start' | 'pause' | 'resume' | 'cancel' | 'retry' | 'sweep' | 'dead' }
  | { verb: 'choose'; rows: number[]; prompt: string | undefined }
  | { verb: 'work'; share: number; twice: boolean }
  | { verb: 'fail'; names: string[] }
  | { verb: 'upload'; rows: number };

const verbs: fc.Arbitrary<Verb> = fc.oneof(
  fc.record({ verb: fc.constant('sample' as const), rows: fc.integer({ min: 1, max: 5 }) }),
  fc.record({
    verb: fc.constant('change' as const),
    change: fc.constantFrom<JobChange>(
      { prompt: 'Write {{name}} a line.' },
      { prompt: null },
      { processor: 'classify', prompt: 'Which? One of: a, b' },
      { processor: 'research_email', prompt: 'Write.' },
      { duplicates: 'skip' },
      { duplicates: null },
      { research: false },
    ),
  }),
  ...(['start', 'start', 'pause', 'resume', 'cancel', 'retry', 'sweep', 'dead'] as const).map(
    (verb) => fc.constant({ verb }),
  ),
  fc.record({
    verb: fc.constant('choose' as const),
    rows: fc.array(fc.integer({ min: 0, max: 12 }), { minLength: 1, maxLength: 4 }),
    prompt: fc.constantFrom(undefined, 'Write again.'),
  }),
  ...[1, 2, 3].map(() =>
    fc.record({
      verb: fc.constant('work' as const),
      share: fc.double({ min: 0, max: 1, noNaN: true }),
      twice: fc.boolean(),
    }),
  ),
  fc.record({ verb: fc.constant('upload' as const), rows: fc.integer({ min: 1, max: 12 }) }),
  fc.record({
    verb: fc.constant('fail' as const),
    names: fc.array(
      fc.integer({ min: 0, max: 12 }).map((i) => `lead ${i}`),
      { maxLength: 5 },
    ),
  }),
);

async function play(story: Story, step: Verb): Promise<unknown> {
  const { of } = story;
  const { ctx } = fixture;
  switch (step.verb) {
    case 'sample':
      return attempt(sampleJob(ctx, { ...of, rows: step.rows }, story.providers()));
    case 'change':
      return attempt(changeJob(ctx, { ...of, change: step.change }));
    case 'start':
      return attempt(startJob(ctx, of));
    case 'pause':
      return attempt(pauseJob(ctx, of));
    case 'resume':
      return attempt(resumeJob(ctx, of));
    case 'cancel':
      return attempt(cancelJob(ctx, of));
    case 'retry':
      return attempt(retryJob(ctx, of));
    case 'choose':
      return attempt(retryJob(ctx, { ...of, rows: step.rows, prompt: step.prompt }));
    case 'upload':
      return attempt(fixture.upload(of.userId, of.jobId, file(step.rows)));
    case 'sweep':
      return story.sweep();
    case 'fail':
      return void (story.failing = step.names);
    case 'dead': {
      // An invocation that takes a lease and is never heard of again.
      const [message] = story.messages();
      return message && leaseChunk(ctx, message, crypto.randomUUID());
    }
    case 'work': {
      const messages = story.messages();
      const some = messages.slice(0, Math.ceil(messages.length * step.share));
      for (const message of step.twice ? [...some, ...some] : some)
        await attempt(story.deliver(message));
      return undefined;
    }
  }
}

const runs = Number(process.env['VERB_STORIES'] ?? 30);

describe('whatever a user does, in whatever order', () => {
  test('credits are exact at every moment, and the job comes to its end', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 2, max: 12 }),
        fc.array(
          fc.oneof(
            verbs.map((one) => [one]),
            fc.tuple(verbs, verbs),
          ),
          { maxLength: 14 },
        ),
        fc.boolean(),
        async (rows, steps, isDeleted) => {
          const story = await Story.begin(rows);
          for (const together of steps) {
            await Promise.all(together.map((step) => play(story, step)));
            await story.check();
          }
          if (isDeleted) return story.remove();
          await story.toItsEnd();
          await story.check();
          const job = await story.job();
          expect(job.credits.held).toBe(0);
          if (job.status === 'completed') expect(job.rows.done).toBe(job.rows.total);
        },
      ),
      { numRuns: runs, endOnFailure: true },
    );
  }, 300_000);
});
