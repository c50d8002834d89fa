import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Ctx } from '../../functions/context.ts';
import { DomainError } from '../../functions/errors.ts';
import { createJob } from '../../functions/jobs/create-job.ts';
import { uploadInput } from '../../functions/jobs/upload-input.ts';
import { ensureUser } from '../../functions/users/ensure.ts';
import { aroundCalls } from '../support/around-calls.ts';
import { testCtx } from '../support/ctx.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';

let database: TestDatabase;
let ctx: Ctx;
beforeAll(async () => {
  database = await createDatabase();
  ctx = testCtx(database, { SIGNUP_CREDITS: '0', MAX_ROWS: '300000' });
});
afterAll(() => database.drop());

let users = 0;
async function newJob(said: { prompt?: string; columns?: string[] } = {}) {
  users += 1;
  const { user } = await ensureUser(ctx, {
    externalId: `uploader-${users}`,
    email: null,
    emailVerified: false,
  });
  const { job } = await createJob(ctx, { userId: user.id, filename: 'leads.csv', ...said });
  return { userId: user.id, jobId: job.id };
}

type Job = Awaited<ReturnType<typeof newJob>>;

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

/** Sends a text as a stream that is none of bytes; the code of the refusal. There are no credits. */
function send(job: Job, text: string, db?: Ctx['db']): Promise<string> {
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      controller.enqueue(utf8(text));
      controller.close();
    },
  });
  return sendBody(job, body, db);
}

async function sendBody(
  job: Job,
  body: ReadableStream<Uint8Array>,
  db: Ctx['db'] = ctx.db,
): Promise<string> {
  const refusal = await uploadInput(
    { ...ctx, db },
    { ...job, body, contentLength: undefined },
  ).then(
    () => new Error('The job ran without credits.'),
    (error: unknown) => error,
  );
  if (!(refusal instanceof DomainError)) throw refusal as Error;
  return refusal.code;
}

async function stored({ jobId }: Job) {
  const { rows: chunks } = await database.pool.query<{
    first: number;
    count: number;
    rows: string[][];
  }>(
    'select first_row as first, row_count as count, rows from job_chunks where job_id = $1 order by index',
    [jobId],
  );
  const { rows } = await database.pool.query<{ header: string[] | null; status: string }>(
    'select header, status from jobs where id = $1',
    [jobId],
  );
  return { chunks, rows: chunks.flatMap((chunk) => chunk.rows), ...rows[0] };
}

describe('what is stored', () => {
  test('rows as they came; the header as wide as the widest', async () => {
    const job = await newJob();
    expect(await send(job, 'name,name,\nä,"x\n""y"""\n1,2,3,"\u2028\\n"\n')).toBe(
      'insufficient_credits',
    );
    const kept = await stored(job);
    expect(kept.header).toEqual(['name', 'name', '', 'column_4']);
    expect(kept.rows).toEqual([
      ['ä', 'x\n"y"'],
      ['1', '2', '3', '\u2028\\n'],
    ]);
  });

  test('many statements side by side store every row once, in its place', async () => {
    const job = await newJob();
    const lines = Array.from({ length: 30_000 }, (_, i) => `${i},${'note '.repeat(12)}`);
    expect(await send(job, `id,note\n${lines.join('\n')}`)).toBe('insufficient_credits');
    const { chunks, rows } = await stored(job);
    expect(rows.map(([id]) => Number(id))).toEqual(lines.map((_, i) => i));
    for (const chunk of chunks) {
      expect(Number(chunk.rows[0]?.[0])).toBe(chunk.first);
      expect(chunk.rows).toHaveLength(chunk.count);
    }
  });
});

/** A file that is made as it is read: its first line, then the same rows again and again. */
function fileOf(pieces: number) {
  const read = { pieces: 0, isCancelled: false };
  const rows = utf8(`1,${'note '.repeat(12)}\n`.repeat(1000));
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(utf8('id,note\n')),
    pull(controller) {
      read.pieces += 1;
      controller.enqueue(rows);
      if (read.pieces === pieces) controller.close();
    },
    cancel() {
      read.isCancelled = true;
    },
  });
  return { body, read, megabytesRead: () => (read.pieces * rows.length) / 1e6 };
}

test('while the database is slow the file is not read on into memory', async () => {
  const job = await newJob();
  const file = fileOf(200);
  const [slow, full] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  let appends = 0;
  const db = aroundCalls(ctx.db, async ({ name }, next) => {
    if (name === 'job_upload_append') {
      appends += 1;
      if (appends === 2) full.resolve();
      await slow.promise;
    }
    return next();
  });
  const sent = sendBody(job, file.body, db);
  await full.promise;
  let before = -1;
  while (before !== file.read.pieces) {
    before = file.read.pieces;
    await pause(100);
  }
  expect(appends).toBe(2);
  expect(file.megabytesRead()).toBeLessThan(3);
  slow.resolve();
  expect(await sent).toBe('insufficient_credits');
  expect((await stored(job)).rows).toHaveLength(200_000);
});

describe('a statement that fails', () => {
  const text = `id,note\n${`1,${'note '.repeat(12)}\n`.repeat(30_000)}`;

  test.each([1, 2, 3, 4])('the one number %i: the upload is undone', async (failing) => {
    const job = await newJob();
    let appends = 0;
    const db = aroundCalls(ctx.db, async ({ name }, next) => {
      if (name === 'job_upload_append') {
        appends += 1;
        if (appends === failing) throw new DomainError('service_unavailable');
      }
      return next();
    });
    expect(await send(job, text, db)).toBe('service_unavailable');
    expect(appends).toBeGreaterThanOrEqual(failing);
    expect(appends).toBeLessThanOrEqual(failing + 2);
    expect(await stored(job)).toEqual({ chunks: [], rows: [], header: null, status: 'created' });
  });

  test('the rest of the file is not read', async () => {
    const file = fileOf(2000);
    const db = aroundCalls(ctx.db, ({ name }, next) =>
      name === 'job_upload_append'
        ? Promise.reject(new DomainError('service_unavailable'))
        : next(),
    );
    expect(await sendBody(await newJob(), file.body, db)).toBe('service_unavailable');
    expect(file.read.isCancelled).toBe(true);
    expect(file.megabytesRead()).toBeLessThan(3);
  });

  test('an upload that was overtaken stores nothing more', async () => {
    const job = await newJob();
    let isOvertaken = false;
    const db = aroundCalls(ctx.db, async ({ name }, next) => {
      if (name === 'job_upload_append' && !isOvertaken) {
        isOvertaken = true;
        expect(await send(job, 'id\nother\n')).toBe('insufficient_credits');
      }
      return next();
    });
    expect(await send(job, text, db)).toBe('upload_superseded');
    expect((await stored(job)).rows).toEqual([['other']]);
  });
});

describe('columns that the job names', () => {
  const file = 'name,name,\na,b,c\n1,2,3,4\n';

  test.each<[string, { prompt?: string; columns?: string[] }, string]>([
    [
      'a second one, one without a name, one past the header',
      {
        prompt: '{{name_2}} {{column_3}} {{column_4}}',
      },
      'insufficient_credits',
    ],
    ['a number that no row reaches', { prompt: '{{column_5}}' }, 'csv_invalid'],
    ['a third of two', { prompt: '{{name_3}}' }, 'csv_invalid'],
    ['listed, past the header', { columns: ['name', 'column_4'] }, 'insufficient_credits'],
    ['listed, not there', { columns: ['column_5'] }, 'csv_invalid'],
    ['listed in other letters', { columns: ['NAME', ' Name_2 '] }, 'insufficient_credits'],
  ])('%s', async (_, said, code) => {
    const job = await newJob(said);
    expect(await send(job, file)).toBe(code);
    expect((await stored(job)).rows).toHaveLength(code === 'csv_invalid' ? 0 : 2);
  });

  test('a column that is missing is told beside those that are there, with the line of the header', async () => {
    const job = await newJob({ columns: ['Phone'] });
    const text = `Leads of 2026\n\nName,City,${'x'.repeat(90)}\nJane,Rome,1\nBob,Bonn,2\n`;
    await expect(
      uploadInput(ctx, { ...job, body: new Blob([text]).stream(), contentLength: undefined }),
    ).rejects.toMatchObject({
      code: 'csv_invalid',
      extra: {
        line: 3,
        reason: expect.stringMatching(/no column "Phone".*The file has: Name, City, x{40}\.$/),
      },
    });
  });
});

test('a result that is sent again stores the columns of its user alone', async () => {
  const job = await newJob();
  const text = 'name,research_summary,email_body,row_status,row_error\nJane,x,Dear,ok,\n';
  expect(await send(job, text)).toBe('insufficient_credits');
  expect(await stored(job)).toMatchObject({ header: ['name'], rows: [['Jane']] });
});
