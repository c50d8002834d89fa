import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Ctx } from '../../functions/context.ts';
import { deleteJob } from '../../functions/jobs/delete-job.ts';
import { retryJob } from '../../functions/jobs/retry-job.ts';
import {
  type DeliverBy,
  deliverNotification,
  giveUpNotification,
} from '../../functions/notifications/deliver-notification.ts';
import {
  latestNotification,
  listNotifications,
} from '../../functions/notifications/list-notifications.ts';
import { publishNotification } from '../../functions/notifications/publish-notifications.ts';
import { readNotifySecret, renewNotifySecret } from '../../functions/notifications/secret.ts';
import { processChunk } from '../../functions/processing/process-chunk.ts';
import { sweepOn } from '../../functions/sweeps/sweeps.ts';
import { JobFixture, providers } from '../support/job-fixture.ts';
import { verified } from '../support/standard-webhooks.ts';

type Message = {
  url: string;
  body: { notificationId: string };
  retries: number;
  deduplicationId: string;
  failureCallback: string;
};

const secretUrl = 'https://hooks.example.com/in?token=not-for-the-log';

let fixture: JobFixture;
let ctx: Ctx;
let lines: string[];
let messages: Message[];
let publish: (sent: Message[]) => Promise<unknown>;
beforeAll(async () => {
  fixture = await JobFixture.open();
});
afterAll(() => fixture.close());
beforeEach(async () => {
  await fixture.query('delete from notifications');
  lines = [];
  messages = [];
  publish = async (sent) => {
    messages.push(...sent);
    return sent.map(() => ({ messageId: randomUUID() }));
  };
  const qstash = { batchJSON: (sent: Message[]) => publish(sent) };
  const log: Ctx['log'] = (event, fields) => void lines.push(JSON.stringify({ event, ...fields }));
  ctx = { ...fixture.ctx, qstash: qstash as never, log };
});

/** A job of two rows that has ended, the second one in an error, and what is to be told of it. */
async function ended(url = secretUrl) {
  const { userId, jobId, messages: chunks } = await fixture.running(2);
  for (const chunk of chunks) await processChunk(fixture.ctx, chunk, providers(['lead 1']));
  const [row] = await fixture.query<{ id: string }>(
    'insert into notifications (job_id, run, url) values ($1, 1, $2) returning id',
    [jobId, url],
  );
  return { userId, jobId, notificationId: row?.id ?? '' };
}
const only = async (of: { userId: string; jobId: string }) =>
  (await listNotifications(ctx, of)).items[0];
const stored = () => fixture.query('select status, attempts, published_at from notifications');

describe('the queue', () => {
  test('gets the end of a run once, with the retries that it grants', async () => {
    const { jobId, notificationId } = await ended();
    await publishNotification(ctx, { jobId: (await fixture.running(1)).jobId });
    expect(messages).toEqual([]);
    await publishNotification(ctx, { jobId });
    await publishNotification(ctx, { jobId });
    expect(messages).toEqual([
      {
        url: `${ctx.config.publicUrl}/queue/notifications`,
        body: { notificationId },
        retries: 3,
        retryDelay: '30000 * pow(20, retried)',
        deduplicationId: `notification-${notificationId}`,
        failureCallback: `${ctx.config.publicUrl}/queue/notification-failures`,
      },
    ]);
    expect(await stored()).toMatchObject([{ status: 'pending', published_at: expect.any(Date) }]);
  });

  test.each([
    ['is away', () => Promise.reject(new Error('away'))],
    ['refuses it', async (sent: Message[]) => sent.map(() => ({ error: 'no' }))],
  ])('%s: nobody is held up, and the sweep makes up for it', async (_, refuse) => {
    const { jobId, notificationId } = await ended();
    const take = publish;
    publish = refuse;
    await publishNotification(ctx, { jobId });
    expect(lines).toEqual([expect.stringContaining('notification_not_published')]);
    publish = take;
    // Whoever ended the job may still be at it.
    expect(await sweepOn(ctx, { name: 'notifications' })).toMatchObject({ worked: 0 });
    await fixture.query("update notifications set created_at = now() - interval '21 seconds'");
    expect(await sweepOn(ctx, { name: 'notifications' })).toMatchObject({ worked: 1 });
    expect(await sweepOn(ctx, { name: 'notifications' })).toMatchObject({ worked: 0 });
    expect(messages.map(({ body }) => body.notificationId)).toEqual([notificationId]);
  });

  test('gets what a Worker that died has left, page after page, each once', async () => {
    const { jobId } = await ended();
    await fixture.query(
      `insert into notifications (job_id, run, url, created_at)
        select $1, n, 'https://example.com/', now() - interval '1 minute' from generate_series(2, 251) n`,
      [jobId],
    );
    expect(await sweepOn(ctx, { name: 'notifications' })).toMatchObject({ worked: 250 });
    const ids = messages.map(({ deduplicationId }) => deduplicationId);
    expect(new Set(ids).size).toBe(250);
    expect(ids).toHaveLength(250);
  });

  test('a note that was lost after publishing: it is sent again under the same deduplication id', async () => {
    const { jobId } = await ended();
    const { db } = ctx;
    const rows: typeof db.rows = (text, params) =>
      text.startsWith('update') ? Promise.reject(new Error('cut')) : db.rows(text, params);
    await publishNotification({ ...ctx, db: { ...db, rows } }, { jobId });
    await publishNotification(ctx, { jobId });
    expect(messages).toHaveLength(2);
    expect(new Set(messages.map(({ deduplicationId }) => deduplicationId)).size).toBe(1);
  });
});

type Posted = { url: string; headers: Record<string, string>; body: string; redirect: unknown };

/** A receiver that answers so, one answer after the other, the last one for ever. */
function receiver(...answers: (number | 'refuse' | 'hang')[]) {
  const posted: Posted[] = [];
  const fetch: NonNullable<DeliverBy['fetch']> = async (url, init) => {
    const { headers, body, redirect, signal } = init as RequestInit & Posted;
    posted.push({ url, headers, body, redirect });
    const answer = answers.length > 1 ? answers.shift() : answers[0];
    if (answer === 'refuse') throw new TypeError(`fetch failed: ${url}`);
    if (answer === 'hang')
      return new Promise((_, reject) =>
        signal?.addEventListener('abort', () => reject(signal.reason as Error)),
      );
    const headersOf = { location: 'http://169.254.169.254/' };
    return new Response(null, { status: answer ?? 200, headers: headersOf });
  };
  return { posted, by: { fetch, timeoutMs: 50 } };
}

describe('a delivery', () => {
  test('is signed with the secret of the user, tells the end, and comes once', async () => {
    const job = await ended();
    const { posted, by } = receiver(204);
    expect(await deliverNotification(ctx, job, by)).toEqual({ outcome: 'delivered' });
    expect(await deliverNotification(ctx, job, by)).toEqual({ outcome: 'gone' });
    expect(posted).toHaveLength(1);
    const [{ url, headers, body, redirect } = {} as Posted] = posted;
    expect([url, redirect]).toEqual([secretUrl, 'manual']);
    expect(headers['webhook-id']).toBe(job.notificationId);
    const { secret } = await readNotifySecret(ctx, job);
    expect(verified({ secret, headers, body })).toBe(true);
    expect(JSON.parse(body)).toMatchObject({
      type: 'job.completed',
      data: {
        jobId: job.jobId,
        rows: { total: 2, done: 2, succeeded: 1, failed: 1, skipped: 0 },
        credits: { held: 0, charged: 1, released: 1 },
      },
    });
    expect(await only(job)).toMatchObject({
      id: job.notificationId,
      url: secretUrl,
      status: 'delivered',
      attempts: 1,
      statusCode: 204,
      error: null,
    });
  });

  test('is tried again under the same id with the same body, each try with its own time', async () => {
    const job = await ended();
    const { posted, by } = receiver(500, 'refuse', 'hang', 200);
    const nowMs = Date.now();
    const tryAt = (seconds: number) =>
      deliverNotification({ ...ctx, now: () => new Date(nowMs + seconds * 1000) }, job, by);
    expect(await tryAt(0)).toEqual({ outcome: 'pending' });
    expect(await only(job)).toMatchObject({ status: 'pending', attempts: 1, statusCode: 500 });
    expect(await tryAt(30)).toEqual({ outcome: 'pending' });
    expect(await only(job)).toMatchObject({ error: 'The receiver was not reached.' });
    expect(await tryAt(630)).toEqual({ outcome: 'pending' });
    expect(await only(job)).toMatchObject({ error: 'No answer within 10 s.', attempts: 3 });
    expect(await tryAt(12_000)).toEqual({ outcome: 'delivered' });
    const seconds = posted.map(({ headers }) => Number(headers['webhook-timestamp']));
    expect(seconds).toEqual([0, 30, 630, 12_000].map((s) => Math.floor(nowMs / 1000 + s)));
    expect(new Set(posted.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
    expect(new Set(posted.map(({ body }) => body)).size).toBe(1);
    const { secret } = await readNotifySecret(ctx, job);
    for (const [i, { headers, body }] of posted.entries())
      expect(verified({ secret, headers, body, nowSeconds: seconds[i] ?? 0 })).toBe(true);
  });

  test('fails after four tries, or when the receiver wants no more', async () => {
    const job = await ended();
    const { posted, by } = receiver(302);
    for (const outcome of ['pending', 'pending', 'pending', 'failed', 'gone'])
      expect(await deliverNotification(ctx, job, by)).toEqual({ outcome });
    expect(posted).toHaveLength(4);
    expect(posted.map(({ url }) => url)).toEqual(posted.map(() => secretUrl));
    expect(await only(job)).toMatchObject({ status: 'failed', attempts: 4, statusCode: 302 });
    const other = await ended();
    const unwilling = receiver(410);
    expect(await deliverNotification(ctx, other, unwilling.by)).toEqual({ outcome: 'failed' });
    expect(await deliverNotification(ctx, other, unwilling.by)).toEqual({ outcome: 'gone' });
    expect(unwilling.posted).toHaveLength(1);
  });

  test('two at once: the receiver can tell that it is the same', async () => {
    const job = await ended();
    const { posted, by } = receiver(200);
    await Promise.all([deliverNotification(ctx, job, by), deliverNotification(ctx, job, by)]);
    expect(new Set(posted.map(({ headers }) => headers['webhook-id']))).toEqual(
      new Set([job.notificationId]),
    );
    expect(await only(job)).toMatchObject({ status: 'delivered', attempts: 1 });
  });

  test('of a deleted job, or of one that was started again: nothing is sent', async () => {
    const { posted, by } = receiver(200);
    const deleted = await ended();
    await deleteJob(fixture.ctx, deleted);
    expect(await deliverNotification(ctx, deleted, by)).toEqual({ outcome: 'gone' });
    const again = await ended();
    await retryJob(fixture.ctx, again);
    expect(await deliverNotification(ctx, again, by)).toEqual({ outcome: 'failed' });
    expect(await only(again)).toMatchObject({
      status: 'failed',
      attempts: 0,
      error: 'The job was started again before this was delivered.',
    });
    expect(await deliverNotification(ctx, { notificationId: randomUUID() }, by)).toEqual({
      outcome: 'gone',
    });
    expect(posted).toEqual([]);
  });

  test('to an address that is not public any more: nothing is sent', async () => {
    const { posted, by } = receiver(200);
    for (const url of ['https://10.0.0.1/', 'http://127.0.0.1:9/']) {
      const job = await ended(url);
      expect(await deliverNotification(ctx, job, by)).toEqual({ outcome: 'failed' });
      expect((await only(job))?.error).toMatch(/^The address /);
    }
    expect(posted).toEqual([]);
  });

  test('that the queue gave up has failed, and one that was delivered stays so', async () => {
    const job = await ended();
    await deliverNotification(ctx, job, receiver(500).by);
    expect(await giveUpNotification(ctx, job)).toEqual({ outcome: 'failed' });
    expect(await only(job)).toMatchObject({
      status: 'failed',
      error: 'The receiver answered 500.',
    });
    const other = await ended();
    await deliverNotification(ctx, other, receiver(200).by);
    expect(await giveUpNotification(ctx, other)).toEqual({ outcome: 'gone' });
    expect(await only(other)).toMatchObject({ status: 'delivered' });
  });

  test('leaves neither address nor secret in the log', async () => {
    const job = await ended();
    for (const answer of [500, 'refuse', 302, 200] as const)
      await deliverNotification(ctx, job, receiver(answer).by);
    expect(lines).toHaveLength(4);
    const { secret } = await readNotifySecret(ctx, job);
    for (const line of lines)
      for (const hidden of ['hooks.example.com', 'not-for-the-log', secret.slice(6), 'leads.csv'])
        expect(line).not.toContain(hidden);
  });
});

describe('the secret', () => {
  test('is made once for readers that race, and changes when it is renewed', async () => {
    const userId = await fixture.newUser();
    const read = await Promise.all(
      Array.from({ length: 20 }, () => readNotifySecret(ctx, { userId })),
    );
    expect(new Set(read.map(({ secret }) => secret)).size).toBe(1);
    const { secret } = await renewNotifySecret(ctx, { userId });
    expect(secret).not.toBe(read[0]?.secret);
    expect(await readNotifySecret(ctx, { userId })).toEqual({ secret });
    expect(await readNotifySecret(ctx, { userId: await fixture.newUser() })).not.toEqual({
      secret,
    });
  });

  test('that was renewed between two tries signs the second', async () => {
    const job = await ended();
    const { posted, by } = receiver(500, 200);
    await deliverNotification(ctx, job, by);
    const { secret } = await renewNotifySecret(ctx, job);
    await deliverNotification(ctx, job, by);
    expect(posted.map((one) => verified({ secret, ...one }))).toEqual([false, true]);
  });
});

test('the list is of its owner alone; the newest stands with the job', async () => {
  const job = await ended();
  expect((await listNotifications(ctx, job)).items).toHaveLength(1);
  const quiet = await fixture.running(1);
  expect(await listNotifications(ctx, quiet)).toEqual({ items: [], nextCursor: null });
  const unknown = { code: 'not_found' };
  await expect(
    listNotifications(ctx, { ...job, userId: await fixture.newUser() }),
  ).rejects.toMatchObject(unknown);
  await fixture.query(
    "insert into notifications (job_id, run, url) values ($1, 2, 'https://example.com/second')",
    [job.jobId],
  );
  expect((await listNotifications(ctx, job)).items.map(({ url }) => url)).toEqual([
    'https://example.com/second',
    secretUrl,
  ]);
  const read = `select ${latestNotification} as latest from jobs j where id = $1`;
  expect(await fixture.query(read, [job.jobId])).toMatchObject([{ latest: { run: 2 } }]);
  expect(await fixture.query(read, [quiet.jobId])).toEqual([{ latest: null }]);
  await deleteJob(fixture.ctx, job);
  await expect(listNotifications(ctx, job)).rejects.toMatchObject(unknown);
});

test('they go as long after they were made as results are kept', async () => {
  const [old, young] = [await ended(), await ended()];
  const days = ctx.config.resultRetentionDays;
  const age = (jobId: string, by: number) =>
    fixture.query(
      "update notifications set created_at = now() - $2 * interval '1 day' where job_id = $1",
      [jobId, by],
    );
  await age(old.jobId, days + 1);
  await age(young.jobId, days - 1);
  await sweepOn(ctx, { name: 'leftovers' });
  expect(await fixture.query('select job_id from notifications')).toEqual([
    { job_id: young.jobId },
  ]);
});
