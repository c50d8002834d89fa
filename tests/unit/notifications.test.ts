import { describe, expect, test } from 'vitest';
import {
  isStillSo,
  mostAttempts,
  type NotificationRow,
  notificationView,
  outcomeOf,
  payloadOf,
} from '../../functions/notifications/notification.pure.ts';
import { newSecret, signatureOf } from '../../functions/notifications/signature.ts';
import { jobRow } from '../support/job-row.ts';
import { verified } from '../support/standard-webhooks.ts';

describe('a signature', () => {
  // From the tests of the specification's own libraries (standard-webhooks, libraries/*, "sign").
  const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
  const signed = {
    id: 'msg_p5jXN8AQM9LWM0D4loKWxJek',
    timestamp: 1_614_265_330,
    body: '{"test": 2432232314}',
  };

  test('is what the libraries of the specification sign', async () => {
    const expected = 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=';
    expect(await signatureOf(secret, signed)).toBe(expected);
  });

  test('covers id, time and every byte of the body', async () => {
    const own = newSecret();
    const body = '{"filename":"Müller – 顧客.csv"}';
    const timestamp = 1_700_000_000;
    const headers = {
      'webhook-id': 'n1',
      'webhook-timestamp': String(timestamp),
      'webhook-signature': await signatureOf(own, { id: 'n1', timestamp, body }),
    };
    const check = (change: Partial<typeof headers>, text = body, by = own, at = timestamp) =>
      verified({ secret: by, headers: { ...headers, ...change }, body: text, nowSeconds: at });
    expect(check({})).toBe(true);
    expect(check({ 'webhook-id': 'n2' })).toBe(false);
    expect(check({ 'webhook-timestamp': String(timestamp + 1) })).toBe(false);
    expect(check({}, `${body} `)).toBe(false);
    expect(check({}, body, newSecret())).toBe(false);
    expect(check({}, body, own, timestamp + 301)).toBe(false);
  });

  test('is made with a secret of 24 to 64 bytes, never the same twice', () => {
    const secrets = Array.from({ length: 100 }, newSecret);
    expect(new Set(secrets).size).toBe(100);
    for (const one of secrets) {
      expect(one).toMatch(/^whsec_[A-Za-z0-9+/]+={0,2}$/);
      const { length } = Buffer.from(one.slice(6), 'base64');
      expect(length).toBeGreaterThanOrEqual(24);
      expect(length).toBeLessThanOrEqual(64);
    }
  });
});

describe('what an answer makes of a notification', () => {
  test.each([200, 201, 202, 204, 299])('%i: delivered, at the last try too', (status) => {
    const delivered = { status: 'delivered', statusCode: status, error: null };
    for (const attempt of [1, mostAttempts])
      expect(outcomeOf({ status }, attempt)).toEqual(delivered);
  });

  test.each([
    [{ status: 500 }, 500, 'The receiver answered 500.'],
    [{ status: 404 }, 404, 'The receiver answered 404.'],
    [{ status: 429 }, 429, 'The receiver answered 429.'],
    [{ status: 302 }, 302, 'The receiver answered 302: redirects are not followed.'],
    [{ none: 'timeout' }, null, 'No answer within 10 s.'],
    [{ none: 'connection' }, null, 'The receiver was not reached.'],
  ] as const)('%j: tried again, three times', (answer, statusCode, error) => {
    const of = (attempt: number) => outcomeOf(answer, attempt);
    for (const attempt of [1, 2, 3])
      expect(of(attempt)).toEqual({ status: 'pending', statusCode, error });
    expect(of(4)).toEqual({ status: 'failed', statusCode, error });
  });

  test('410: failed at once', () => {
    expect(outcomeOf({ status: 410 }, 1)).toMatchObject({ status: 'failed', statusCode: 410 });
  });
});

test('the body tells how the job ended, and nothing of its rows, prompt or sender', () => {
  const job = jobRow({
    status: 'failed',
    filename: 'leads.csv',
    prompt: 'a secret prompt',
    header: ['a secret column'],
    error: 'No row could be worked: the model refused it.',
    rows_total: 5,
    rows_done: 5,
    rows_failed: 4,
    rows_skipped: 1,
    credits_released: 4,
    finished_at: '2026-11-22T12:00:00.123456+00:00',
  });
  const payload = payloadOf(job);
  expect(payload).toEqual({
    type: 'job.failed',
    timestamp: '2026-11-22T12:00:00.123Z',
    data: {
      jobId: job.id,
      status: 'failed',
      filename: 'leads.csv',
      rows: { total: 5, done: 5, succeeded: 0, failed: 4, skipped: 1 },
      credits: { held: 0, charged: 0, released: 4 },
      error: 'No row could be worked: the model refused it.',
      finishedAt: '2026-11-22T12:00:00.123Z',
    },
  });
});

test.each([
  ['completed', 1, true],
  ['failed', 1, true],
  ['cancelled', 1, true],
  ['running', 1, false],
  ['paused', 1, false],
  ['completed', 2, false],
])('an end of run 1 is told of a job that is %s in run %i: %s', (status, run, isTold) => {
  expect(isStillSo({ status, run }, 1)).toBe(isTold);
});

describe('as its user sees it', () => {
  const row: NotificationRow = {
    id: '7f9c24e5-5c1c-4f5e-9d3a-2f6f4b1f0a11',
    job_id: '7f9c24e5-5c1c-4f5e-9d3a-2f6f4b1f0a12',
    run: 1,
    url: 'https://example.com/',
    status: 'pending',
    attempts: 1,
    status_code: 500,
    error: 'The receiver answered 500.',
    created_at: '2026-11-22T12:00:00+00:00',
    published_at: '2026-11-22T12:00:00+00:00',
    attempted_at: '2026-11-22T12:00:01+00:00',
  };
  const at = (time: string, change: Partial<NotificationRow> = {}) =>
    notificationView({ ...row, ...change }, new Date(time));

  test('one that waits for its next try is pending', () => {
    expect(at('2026-11-22T16:00:00Z')).toEqual({
      id: row.id,
      url: row.url,
      status: 'pending',
      attempts: 1,
      statusCode: 500,
      error: 'The receiver answered 500.',
      createdAt: '2026-11-22T12:00:00.000Z',
      attemptedAt: '2026-11-22T12:00:01.000Z',
    });
  });

  test('one of which nothing was heard for a day has failed', () => {
    const nextDay = '2026-11-23T12:00:01Z';
    expect(at(nextDay).status).toBe('failed');
    expect(at(nextDay, { error: null }).error).toBe('It could not be delivered.');
    expect(at(nextDay, { status: 'delivered', error: null })).toMatchObject({
      status: 'delivered',
      error: null,
    });
    // Nobody has handed it over yet: the sweep will.
    expect(at(nextDay, { published_at: null }).status).toBe('pending');
  });
});
