import type { ChunkMessage } from '../../functions/processing/publish-chunks.ts';
import { randomUUID } from 'node:crypto';
import type { Ctx } from '../../functions/context.ts';
import { createJob } from '../../functions/jobs/create-job.ts';
import type { JobOptions } from '../../functions/processing/job-options.ts';
import { processChunk } from '../../functions/processing/process-chunk.ts';
import { readOutput } from '../../functions/jobs/read-output.ts';
import type { SlotFetch, ConnectionLimiter } from '../../functions/providers/connection-limiter.ts';
import { uploadInput } from '../../functions/jobs/upload-input.ts';
import { adjustCredits } from '../../functions/ledger/adjust-credits.ts';
import type { Fact, PlanTerms } from '../../functions/ledger/facts.pure.ts';
import { ownTimeUs, refoldUser } from '../../functions/ledger/refold.ts';
import { ensureUser } from '../../functions/users/ensure.ts';
import { assertBooksHold } from './ledger-invariants.ts';
import { testCtx } from './ctx.ts';
import { createDatabase, type TestDatabase } from './database.ts';

export type Published = {
  body: ChunkMessage;
  deduplicationId: string;
  label: string;
  delay?: number;
  flowControl: { key: string; parallelism: number };
};

/** What QStash answers to a batch that it takes. */
export const accepted = (messages: Published[]) =>
  messages.map(({ deduplicationId }) => ({ messageId: `msg_${deduplicationId}` }));

export const csvOf = (rows: number): string =>
  `name,city\n${Array.from({ length: rows }, (_, i) => `lead ${i},"Bonn, ${i}"\n`).join('')}`;

export const streamOf = (text: string) => new Response(text).body as ReadableStream<Uint8Array>;

/** An invocation's way out to providers that are functions. */
export const slotsOf = (fetch: SlotFetch): ConnectionLimiter => ({
  fetch: async (url, init, timeoutMs, read, check) => {
    await check?.();
    return fetch(url, init, timeoutMs, read);
  },
  run: (work) => work(),
});

const answerOf = (text: string): Response =>
  new Response(
    `data: ${JSON.stringify({ choices: [{ delta: { content: text } }] })}\n\ndata: [DONE]\n\n`,
  );

/** Answers by the row; a search for a name in `failing` is refused for good. */
export const providerFetch =
  (failing: readonly string[] = []): SlotFetch =>
  async (url, init, _timeout, read) => {
    const body = init.body as string;
    if (url.endsWith('/search')) {
      const { q: asked } = JSON.parse(body) as { q: string };
      // A person is searched for with their city.
      const q = /lead \d+/.exec(asked)?.[0] ?? asked;
      if (failing.includes(q)) return read(new Response('no', { status: 400 }));
      return read(Response.json({ organic: [{ title: q, snippet: `about ${q}` }] }));
    }
    const name = /name: (lead \d+)/.exec(body)?.[1];
    return read(answerOf(`Subject: Hello\n\nDear ${name ?? 'nobody'}`));
  };

/** A fact whose time is given to it. */
type Timeless<F> = F extends Fact ? Omit<F, 'atUs' | 'decidedAtMs'> : never;
type Happening = Timeless<Fact>;

/** An active subscription of the unlimited plan, and its first invoice, paid. */
function unlimitedPlan(userId: string, now: Date): Happening[] {
  const periodStart = Math.floor(now.getTime() / 1000) - 1;
  const [subscription, invoice] = [`sub_${userId}`, `in_${userId}`];
  const terms: PlanTerms = {
    plan: 'unlimited',
    priceId: 'price_unlimited',
    credits: null,
    trialCredits: 0,
    interval: 'month',
    grantsMonthly: false,
  };
  const period = { periodStart, periodEnd: periodStart + 30 * 86_400 };
  const about = { subscription, terms, quantity: 1, ...period };
  return [
    {
      kind: 'state',
      key: `state:${subscription}:1`,
      phase: 'created',
      status: 'active',
      ...about,
      cancelAt: null,
      trialEnd: null,
      endedAt: null,
      customer: null,
      graceDays: 7,
    },
    {
      kind: 'plan',
      key: `invoice:${invoice}`,
      invoice,
      reason: 'create',
      form: 'full',
      ...about,
      charge: 24_900,
      total: 24_900,
      mode: 'reset-all',
    },
  ];
}

export const providers = (failing: readonly string[] = []): ConnectionLimiter =>
  slotsOf(providerFetch(failing));

/** Providers that answer once `open` was called. */
export function gate() {
  let open: () => void = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  const answer = providerFetch();
  const slots = slotsOf(async (...call) => {
    await opened;
    return answer(...call);
  });
  return { slots, open };
}

/** Job verbs on a database of their own, with a queue that only remembers. */
export class JobFixture {
  readonly database: TestDatabase;
  readonly ctx: Ctx;
  published: Published[] = [];
  /** Labels whose messages were taken back. */
  cancelled: string[] = [];
  /** Lanes whose messages are held back. */
  paused = new Set<string>();
  /** Providers that the queue was asked to have probed. */
  probes: string[] = [];
  #users = 0;

  static async open(env: Record<string, string> = {}): Promise<JobFixture> {
    return new JobFixture(await createDatabase(), env);
  }

  private constructor(database: TestDatabase, env: Record<string, string>) {
    this.database = database;
    const qstash = {
      batchJSON: async (messages: Published[]) => {
        this.published.push(...messages);
        return accepted(messages);
      },
      http: {
        request: async ({ query }: { query: { label: string } }) =>
          void this.cancelled.push(query.label),
      },
      flowControl: {
        pause: async (lane: string) => void this.paused.add(lane),
        resume: async (lane: string) => void this.paused.delete(lane),
      },
      publishJSON: async ({ body }: { body: { provider: string } }) => {
        this.probes.push(body.provider);
      },
    };
    const ctx = testCtx(database, { PARALLEL_INVOCATIONS: '10', MAX_ROWS: '500', ...env });
    this.ctx = { ...ctx, qstash: qstash as never };
  }

  async close(): Promise<void> {
    await assertBooksHold(this.database.pool);
    await this.database.drop();
  }

  query = async <T extends Record<string, unknown>>(text: string, params: unknown[] = []) =>
    (await this.database.pool.query<T>(text, params)).rows;

  async newUser(credits = 500): Promise<string> {
    this.#users += 1;
    const { user } = await ensureUser(
      { ...this.ctx, config: { ...this.ctx.config, signupCredits: credits } },
      { externalId: `job-user-${this.#users}`, email: null, emailVerified: false },
    );
    return user.id;
  }

  topUp = (userId: string, amount: number) =>
    adjustCredits(this.ctx, { user: userId, amount, reason: 'test' });

  /** What happens to a user, all of it now, in this order. Stripe's times are whole seconds. */
  tell = (userId: string, ...happenings: Happening[]) =>
    refoldUser(this.ctx, {
      userId,
      tell: (timeline) => {
        const nowUs = ownTimeUs(this.ctx, timeline);
        const decidedAtMs = this.ctx.now().getTime();
        return happenings.map((one, i) => {
          const atUs = one.kind === 'suspension' ? nowUs + i : Math.ceil(nowUs / 1e6) * 1e6;
          return { ...one, atUs, decidedAtMs };
        });
      },
    });

  /** Pays for the unlimited plan, which began a second ago and runs for a month. */
  goUnlimited = (userId: string) => this.tell(userId, ...unlimitedPlan(userId, this.ctx.now()));

  suspend = (userId: string) => this.#suspension(userId, 'suspend');
  lift = (userId: string) => this.#suspension(userId, 'lift');

  #suspension(userId: string, action: 'suspend' | 'lift') {
    const key = `suspension:${randomUUID()}`;
    return this.tell(userId, { kind: 'suspension', key, action, reason: 'test' });
  }

  upload = (userId: string, jobId: string, text: string) =>
    uploadInput(this.ctx, {
      userId,
      jobId,
      body: streamOf(text),
      contentLength: text.length,
    });

  /** A job that runs; its messages are published, none is delivered. */
  async running(rows: number, credits = 500) {
    const userId = await this.newUser(credits);
    const { job } = await createJob(this.ctx, { userId, filename: 'leads.csv' });
    this.published = [];
    await this.upload(userId, job.id, csvOf(rows));
    return { userId, jobId: job.id, messages: this.messages() };
  }

  /** A job that starts by hand, with its rows. */
  async ready(text = csvOf(18), credits = 500, options: JobOptions = {}) {
    const userId = await this.newUser(credits);
    const { job } = await createJob(this.ctx, {
      userId,
      filename: 'leads.csv',
      prompt: 'Write.',
      options: { start: 'manual', ...options },
    });
    await this.upload(userId, job.id, text);
    return { userId, jobId: job.id };
  }

  /** Delivers what is published; searches for these leads fail. */
  workAll = async (failing: readonly string[] = []): Promise<void> => {
    for (const message of this.messages())
      await processChunk(this.ctx, message, providers(failing));
  };

  messages = (): ChunkMessage[] => this.published.map(({ body }) => body);

  credits = async (userId: string) =>
    (
      await this.query<{ balance: number; held: number }>(
        'select credits_balance as balance, credits_held as held from users where id = $1',
        [userId],
      )
    )[0];

  /** The lines of the output. */
  async output(userId: string, jobId: string, partial = false): Promise<string[]> {
    const options = { partial, raw: false, bom: false };
    const output = await readOutput(this.ctx, { userId, jobId, options });
    return (await new Response(output.body).text()).split('\r\n').slice(0, -1);
  }

  /** Every lease runs out. */
  expireLeases = (jobId: string) =>
    this.query(
      "update job_chunks set lease_until = now() - interval '1 second' where job_id = $1 and lease_until is not null",
      [jobId],
    );
}
