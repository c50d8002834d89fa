import type { Ctx } from '../../functions/deps.ts';
import { createJob } from '../../functions/jobs/create-job.ts';
import type { ChunkMessage } from '../../functions/jobs/dispatch-job.ts';
import { readOutput } from '../../functions/jobs/read-output.ts';
import type { SlotFetch, Slots } from '../../functions/jobs/slots.ts';
import { uploadInput } from '../../functions/jobs/upload-input.ts';
import { ensureUser } from '../../functions/users/ensure.ts';
import { audit } from './audit.ts';
import { testCtx } from './ctx.ts';
import { createDatabase, type TestDatabase } from './database.ts';

export type Published = {
  body: ChunkMessage;
  deduplicationId: string;
  label: string;
  delay?: number;
  flowControl: { key: string; parallelism: number };
};

export const csvOf = (rows: number): string =>
  `name,city\n${Array.from({ length: rows }, (_, i) => `lead ${i},"Bonn, ${i}"\n`).join('')}`;

export const streamOf = (text: string) => new Response(text).body as ReadableStream<Uint8Array>;

/** An invocation's way out to providers that are functions. */
export const slotsOf = (fetch: SlotFetch): Slots => ({ fetch, run: (work) => work() });

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
      const { q } = JSON.parse(body) as { q: string };
      if (failing.includes(q)) return read(new Response('no', { status: 403 }));
      return read(Response.json({ organic: [{ title: q, snippet: `about ${q}` }] }));
    }
    const name = /name: (lead \d+)/.exec(body)?.[1];
    return read(answerOf(`Dear ${name ?? 'nobody'}`));
  };

export const providers = (failing: readonly string[] = []): Slots =>
  slotsOf(providerFetch(failing));

/** Job verbs on a database of their own, with a queue that only remembers. */
export class JobLab {
  readonly database: TestDatabase;
  readonly ctx: Ctx;
  published: Published[] = [];
  /** Labels whose messages were taken back. */
  cancelled: string[] = [];
  #users = 0;

  static async open(env: Record<string, string> = {}): Promise<JobLab> {
    return new JobLab(await createDatabase(), env);
  }

  private constructor(database: TestDatabase, env: Record<string, string>) {
    this.database = database;
    const qstash = {
      batchJSON: async (messages: Published[]) => void this.published.push(...messages),
      messages: {
        cancel: async ({ filter }: { filter: { label: string } }) =>
          void this.cancelled.push(filter.label),
      },
    };
    const ctx = testCtx(database, { PARALLEL_INVOCATIONS: '10', MAX_ROWS: '500', ...env });
    this.ctx = { ...ctx, qstash: qstash as never };
  }

  async close(): Promise<void> {
    await audit(this.database.pool);
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
    this.query(
      "select rowloom.ledger_post($1, 'ADD', $2, 'pack', gen_random_uuid()::text, 'test', 'x', p_lot_kind => 'purchased')",
      [userId, amount],
    );

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
