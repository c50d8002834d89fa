import { afterAll, describe, expect, test } from 'vitest';
import { assertBooksHold } from '../support/ledger-invariants.ts';
import { verified } from '../support/standard-webhooks.ts';
import { waitFor } from '../support/worker-client.ts';
import { type Received, startReceiver } from '../support/worker-receiver.ts';
import { companies } from '../support/worker-csv.ts';
import { expectProblem } from '../support/worker-problem.ts';
import { everyMinute } from '../support/worker-time.ts';
import { someone, startRig } from '../support/worker.ts';

type Notification = {
  id: string;
  url: string;
  status: string;
  attempts: number;
  statusCode: number | null;
  error: string | null;
  createdAt: string;
  attemptedAt: string | null;
};

const receiver = await startReceiver();
const rig = await startRig({
  env: { NOTIFY_LOCAL_HOSTS: receiver.host },
  // The longest wait between two tries is 3 h 20 min.
  qstash: { timeScale: 20_000 },
});
const { pool } = rig.database;

afterAll(async () => {
  await receiver.close();
  await assertBooksHold(pool);
  await rig.close();
});

const csv = 'company\nAcme\nGlobex\n';
const list = async (token: string, id: string) =>
  (await rig.json<{ items: Notification[] }>(`/v1/jobs/${id}/notifications`, { token })).items;
/** A job's only notification, once no try of it is left. */
const told = (token: string, id: string) =>
  waitFor(async () => {
    const [one] = await list(token, id);
    return one !== undefined && one.status !== 'pending' && one;
  }, 30_000);

/** A user whose job with this address has its file. */
async function started(url: string, file = csv) {
  const { token } = await rig.user(someone());
  const { id } = await rig.createJob(token, { notifyUrl: url });
  expect((await rig.upload(token, id, file)).status).toBe(202);
  return { token, id };
}

/** A job whose end is written down as `job_end` does, but told to nobody. */
async function untold(url: string, seconds: number) {
  const { token } = await rig.user(someone());
  const { id } = await rig.startJob(token, csv);
  await rig.ended(token, id);
  const { rows } = await pool.query<{ id: string }>(
    `insert into notifications (job_id, run, url, created_at)
      values ($1, 1, $2, now() - $3 * interval '1 second') returning id`,
    [id, url, seconds],
  );
  const message = JSON.stringify({ notificationId: rows[0]?.id });
  return { token, id, message };
}

/** The same after the cron has come by. */
async function leftBehind(url: string) {
  const job = await untold(url, 60);
  await everyMinute(rig);
  return job;
}

/** What came at an address, which is one thing. */
function onlyAt(path: string): Received {
  const [one, ...others] = receiver.at(path);
  if (!one || others.length > 0)
    throw new Error(`${others.length + (one ? 1 : 0)} came at ${path}`);
  return one;
}

const typesAt = (path: string) =>
  receiver.at(path).map(({ body }) => (JSON.parse(body) as { type: string }).type);

// Until `job_end` writes what is to be told.
describe('a job that ends', () => {
  test('tells its `notifyUrl` by itself, once, and shows it in its JSON', async () => {
    const { token, id } = await started(receiver.answering('/ends', 200));
    const job = await rig.ended(token, id);
    const notification = await told(token, id);
    expect(notification).toMatchObject({ status: 'delivered', attempts: 1 });
    const { headers, body } = onlyAt('/ends');
    const { secret } = await rig.json<{ secret: string }>('/v1/me/notify-secret', { token });
    expect(verified({ secret, headers, body })).toBe(true);
    expect(JSON.parse(body)).toMatchObject({
      type: 'job.completed',
      data: { jobId: id, rows: job.rows, credits: { held: 0, charged: 2, released: 0 } },
    });
    expect(await rig.readJob(token, id)).toMatchObject({ notification });
    await everyMinute(rig);
    expect(typesAt('/ends')).toEqual(['job.completed']);
  });

  test('tells nobody when nobody is to be told', async () => {
    const { token } = await rig.user(someone());
    const { id } = await rig.startJob(token, csv);
    await rig.ended(token, id);
    expect(await list(token, id)).toEqual([]);
    expect(await rig.readJob(token, id)).toMatchObject({ notification: null });
  });

  test('failed, and tells so; again when it was retried', async () => {
    const path = '/fails';
    rig.qstash.faults.add({ on: 'delivery', kind: 'status', status: 502, match: '/queue/chunks' });
    const { token, id } = await started(receiver.answering(path, 200));
    expect((await rig.ended(token, id, 30_000)).status).toBe('failed');
    rig.qstash.faults.clear();
    await waitFor(() => receiver.at(path).length === 1);
    await rig.api(`/v1/jobs/${id}/retry`, { method: 'POST', token });
    expect((await rig.ended(token, id, 30_000)).status).toBe('completed');
    await waitFor(() => receiver.at(path).length === 2);
    expect(typesAt(path)).toEqual(['job.failed', 'job.completed']);
    const ids = receiver.at(path).map(({ headers }) => headers['webhook-id']);
    expect((await list(token, id)).map((one) => one.id)).toEqual(ids.toReversed());
  });

  test('cancelled, and tells so', async () => {
    rig.providers.faults.add({ kind: 'latency', ms: 5000 });
    const { token, id } = await started(receiver.answering('/cancelled', 200), companies(100));
    await rig.api(`/v1/jobs/${id}/cancel`, { method: 'POST', token });
    rig.providers.faults.clear();
    expect(await told(token, id)).toMatchObject({ status: 'delivered' });
    expect(typesAt('/cancelled')).toEqual(['job.cancelled']);
  });

  test('deleted: nobody is told, and nothing of it is kept', async () => {
    rig.providers.faults.add({ kind: 'latency', ms: 5000 });
    const { token, id } = await started(receiver.answering('/removed', 200), companies(100));
    expect((await rig.api(`/v1/jobs/${id}`, { method: 'DELETE', token })).status).toBe(204);
    rig.providers.faults.clear();
    await everyMinute(rig);
    await rig.qstash.drain(10_000);
    expect(receiver.at('/removed')).toEqual([]);
    const { rowCount } = await pool.query('select 1 from notifications where job_id = $1', [id]);
    expect(rowCount).toBe(0);
  });
});

describe('a Worker that died between the end of a job and its publishing', () => {
  test('the next one tells it: signed, once, with no content of rows', async () => {
    const { token, id } = await leftBehind(receiver.answering('/once', 204));
    const notification = await told(token, id);
    expect(notification).toMatchObject({ status: 'delivered', attempts: 1, statusCode: 204 });
    const { headers, body } = onlyAt('/once');
    const { secret } = await rig.json<{ secret: string }>('/v1/me/notify-secret', { token });
    expect(headers['webhook-id']).toBe(notification.id);
    expect(headers['content-type']).toBe('application/json');
    expect(verified({ secret, headers, body })).toBe(true);
    const job = await rig.readJob(token, id);
    expect(JSON.parse(body)).toEqual({
      type: 'job.completed',
      timestamp: job.finishedAt,
      data: {
        jobId: id,
        status: 'completed',
        filename: job.filename,
        rows: job.rows,
        credits: job.credits,
        error: null,
        finishedAt: job.finishedAt,
      },
    });
    expect(body).not.toMatch(/Acme|Globex/);
    await everyMinute(rig);
    const message = JSON.stringify({ notificationId: notification.id });
    const again = await rig.postQueue('/queue/notifications', message);
    expect(await again.json()).toEqual({ outcome: 'gone' });
    expect(receiver.at('/once')).toHaveLength(1);
  });
});

describe('a receiver', () => {
  test('that answers 500 twice is told a third time, under the same id', async () => {
    const { token, id } = await leftBehind(receiver.answering('/twice', 500, 500, 200));
    expect(await told(token, id)).toMatchObject({ status: 'delivered', attempts: 3, error: null });
    const tries = receiver.at('/twice');
    expect(tries).toHaveLength(3);
    expect(new Set(tries.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
    expect(new Set(tries.map(({ body }) => body)).size).toBe(1);
    const { secret } = await rig.json<{ secret: string }>('/v1/me/notify-secret', { token });
    for (const one of tries) expect(verified({ secret, ...one })).toBe(true);
  });

  test('that redirects is not followed, and is given up after four tries', async () => {
    const { token, id } = await leftBehind(receiver.answering('/redirects', 307));
    expect(await told(token, id)).toMatchObject({
      status: 'failed',
      attempts: 4,
      statusCode: 307,
      error: 'The receiver answered 307: redirects are not followed.',
    });
    expect(receiver.at('/redirects')).toHaveLength(4);
    expect(receiver.at('/elsewhere')).toEqual([]);
  });

  test('that answers 410 is told no more', async () => {
    const { token, id } = await leftBehind(receiver.answering('/gone', 410));
    expect(await told(token, id)).toMatchObject({ status: 'failed', attempts: 1, statusCode: 410 });
    expect(receiver.at('/gone')).toHaveLength(1);
  });

  test('that hangs is waited for 10 s, and told again', async () => {
    const { token, id } = await leftBehind(receiver.answering('/hangs', 'hang', 200));
    expect(await told(token, id)).toMatchObject({ status: 'delivered', attempts: 2 });
  });

  test('that nobody is: it has failed, and says so', async () => {
    const nobody = await startReceiver();
    const url = `http://${nobody.host}/`;
    await nobody.close();
    const { token, id } = await leftBehind(url);
    // Its port is not among NOTIFY_LOCAL_HOSTS: it is not even tried.
    expect(await told(token, id)).toMatchObject({ status: 'failed', attempts: 0 });
  });

  test('is not told of a job that was deleted in between', async () => {
    const { token, id, message } = await untold(receiver.answering('/deleted', 200), 0);
    expect((await rig.api(`/v1/jobs/${id}`, { method: 'DELETE', token })).status).toBe(204);
    const answer = await rig.postQueue('/queue/notifications', message);
    expect(await answer.json()).toEqual({ outcome: 'gone' });
    expect(receiver.at('/deleted')).toEqual([]);
    const gone = await rig.api(`/v1/jobs/${id}/notifications`, { token });
    await expectProblem(gone, 404, 'not_found');
  });

  test('that does not take it has QStash come again, with no bug in the log', async () => {
    const { message } = await untold(receiver.answering('/refuses', 503), 0);
    const answer = await rig.postQueue('/queue/notifications', message);
    await expectProblem(answer, 502, 'not_delivered');
    const id = answer.headers.get('x-request-id') ?? '';
    expect(rig.lines.filter((line) => line.includes(id) && line.includes('"error"'))).toEqual([]);
  });
});

test('what QStash gives up has failed', async () => {
  const { token, id, message } = await untold(receiver.answering('/given-up', 200), 0);
  const sourceBody = Buffer.from(message).toString('base64');
  const callback = JSON.stringify({ status: 500, sourceBody });
  const answer = await rig.postQueue('/queue/notification-failures', callback);
  expect(await answer.json()).toEqual({ outcome: 'failed' });
  expect((await list(token, id))[0]).toMatchObject({
    status: 'failed',
    error: 'It could not be delivered.',
  });
});

test('no line of the log holds an address, a secret or what a receiver is told', async () => {
  await leftBehind(receiver.answering('/logged?token=hidden', 500));
  await waitFor(() => rig.lines.some((line) => line.includes('notification_tried')));
  for (const line of rig.lines) {
    expect(line).not.toContain(receiver.host);
    expect(line).not.toMatch(/token=hidden|whsec_|Acme/);
  }
});

test('an address that is not https, or not public, is refused when the job is made', async () => {
  const { token } = await rig.user(someone());
  const create = (notifyUrl: string) =>
    rig.api('/v1/jobs', { method: 'POST', token, body: { filename: 'a.csv', notifyUrl } });
  for (const url of [
    'http://hooks.example.com/',
    'https://localhost/',
    'https://169.254.169.254/',
    'https://[::1]/',
    'https://0x7f.1/',
    'https://ada:secret@hooks.example.com/',
    `https://hooks.example.com/${'x'.repeat(2000)}`,
    'no address',
  ]) {
    const { errors } = await expectProblem(await create(url), 422, 'invalid_request');
    expect(errors, url).toMatchObject([{ field: 'notifyUrl' }]);
  }
  expect((await create('https://hooks.example.com/in?x=1')).status).toBe(201);
});
