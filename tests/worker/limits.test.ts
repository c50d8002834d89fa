import { connect } from 'node:net';
import { once } from 'node:events';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { assertBooksHold } from '../support/ledger-invariants.ts';
import { someone, startRig } from '../support/worker.ts';
import { waitFor } from '../support/worker-client.ts';
import { companies, parseCsv } from '../support/worker-csv.ts';
import { expectProblem } from '../support/worker-problem.ts';

const maxBytes = 40_000;
const rig = await startRig({
  qstash: { parallelism: 1 },
  providerLatencyMs: 25,
  env: {
    MAX_UPLOAD_BYTES: String(maxBytes),
    MAX_ROWS: '50',
    PARALLEL_INVOCATIONS: '1',
  },
});

const perMinute = 20;
const strict = await startRig({ env: { RATE_LIMIT_PER_MINUTE: String(perMinute) } });

afterEach(() => strict.redis.faults.clear());

afterAll(async () => {
  for (const { database, close } of [rig, strict]) {
    await assertBooksHold(database.pool);
    await close();
  }
});

const zip = Buffer.from('UEsDBBQAAAAIAAAAIQDfpNJsWgEAACAFAAATAAgC', 'base64');
const utf8 = Buffer.from('a,b\nü,ü\n');

describe('a file that is no CSV is refused with line and reason', () => {
  test.each<[string, string | Uint8Array, number, RegExp]>([
    ['empty', '', 1, /empty/i],
    ['blank', ' \n\n\n', 1, /empty/i],
    ['a byte order mark alone', '\ufeff', 1, /empty/i],
    ['a header alone', 'company,city\n', 2, /no rows/i],
    ['a header and blank lines', 'company,city\n\n\n', 2, /no rows/i],
    ['a row of more than 1,000 cells', `a,b\n1,2\n${'x,'.repeat(1000)}\n`, 3, /1001 columns/],
    ['a quote below cells with line ends', 'a,b\n"x\ny\nz",2\n"1\n', 5, /quote/i],
    ['a quote that is never closed', 'a,b\n1,2\n"3,4\n5,6\n', 3, /quote/i],
    ['text behind a closing quote', 'a,b\n1,2\n"3" x,4\n', 3, /quote/i],
    ['a zip (an Excel workbook)', zip, 1, /Excel workbook.*Export it as CSV/],
    ['NUL bytes', 'a,b\n1,\u0000\n', 2, /binary|text/i],
    ['UTF-8 that breaks', Buffer.from([...utf8, 0xfc, 0x0a]), 3, /UTF-8/],
    ['UTF-8 cut in a character', utf8.subarray(0, -2), 2, /UTF-8/],
    [
      'UTF-16 cut in a character',
      Buffer.from('\ufeffa,b\n1', 'utf16le').subarray(0, -1),
      2,
      /UTF-16/,
    ],
  ])('%s', async (_, file, line, reason) => {
    const { token } = await rig.user(someone());
    const { id } = await rig.createJob(token);
    const problem = await expectProblem(await rig.upload(token, id, file), 422, 'csv_invalid');
    expect(problem).toMatchObject({ line, reason: expect.stringMatching(reason) });
    expect(await rig.readJob(token, id)).toMatchObject({
      status: 'created',
      rows: { total: 0 },
      credits: { held: 0 },
    });
    const kept = await rig.database.pool.query('select 1 from job_chunks where job_id = $1', [id]);
    expect(kept.rowCount).toBe(0);
    expect((await rig.upload(token, id, companies(2))).status).toBe(202);
    expect((await rig.ended(token, id)).rows).toMatchObject({ total: 2, succeeded: 2 });
    expect((await rig.me(token)).credits.balance).toBe(498);
  });
});

describe('a file that is too large: 413, and the job stays open', () => {
  const large = `company,city\n${'Acme,Bonn\n'.repeat(5000)}`;
  const wide = companies(51);

  test.each<[string, () => BodyInit, object]>([
    ['by Content-Length', () => large, { limitBytes: maxBytes }],
    ['without Content-Length', () => new Response(large).body ?? '', { limitBytes: maxBytes }],
    ['by one row too many', () => wide, { limitRows: 50 }],
    ['by one row too many, unannounced', () => new Response(wide).body ?? '', { limitRows: 50 }],
  ])('%s', async (_, body, limit) => {
    const { token } = await rig.user(someone());
    const { id } = await rig.createJob(token);
    const put = (body: unknown) => rig.api(`/v1/jobs/${id}/input`, { method: 'PUT', token, body });
    expect(await expectProblem(await put(body()), 413, 'too_large')).toMatchObject(limit);
    expect(await rig.readJob(token, id)).toMatchObject({ status: 'created', rows: { total: 0 } });
    expect((await rig.me(token)).credits).toMatchObject({ balance: 500, held: 0 });
    expect((await put(companies(50))).status).toBe(202);
    expect((await rig.ended(token, id)).rows.succeeded).toBe(50);
  });

  test('an upload that breaks off leaves the job open, and none of its rows', async () => {
    const { token } = await rig.user(someone());
    const { id } = await rig.createJob(token);
    const socket = connect(rig.worker.port, '127.0.0.1');
    socket.on('error', () => undefined);
    await once(socket, 'connect');
    socket.write(
      `PUT /v1/jobs/${id}/input HTTP/1.1\r\nhost: rig\r\nauthorization: Bearer ${token}\r\ncontent-length: 30000\r\n\r\n`,
    );
    socket.write(companies(40));
    await waitFor(async () => (await rig.readJob(token, id)).status === 'uploading');
    socket.destroy();
    const csv = companies(7, 'Later');
    await waitFor(async () => (await rig.upload(token, id, csv)).status === 202, 3000);
    expect((await rig.ended(token, id)).rows).toMatchObject({ total: 7, succeeded: 7 });
    const [, ...records] = parseCsv(await rig.output(token, id));
    expect(records.map(([company]) => company)).toEqual(
      Array.from({ length: 7 }, (_, i) => `Later ${i}`),
    );
    expect((await rig.me(token)).credits.balance).toBe(493);
  });
});

describe('requests a minute', () => {
  const ask = async (token: string, count: number) => {
    const answers: Response[] = [];
    for (let i = 0; i < count; i += 1)
      answers.push(await strict.api('/v1/billing/subscription', { token }));
    return answers;
  };

  test.each([
    ['counted in Redis', () => undefined],
    ['counted in the Worker while Redis is down', () => strict.redis.faults.add({ kind: 'drop' })],
  ])('%s: past the limit 429 with Retry-After, for this user alone', async (_, prepare) => {
    prepare();
    const busy = await strict.token(someone(), null);
    for (const { status } of await ask(busy, perMinute)) expect(status).toBe(200);
    // A window that slides on meanwhile may let one or two more through.
    const past = (await ask(busy, 4)).at(-1) ?? expect.unreachable();
    const wait = Number(past.headers.get('retry-after'));
    expect(wait).toBeGreaterThanOrEqual(1);
    expect(wait).toBeLessThanOrEqual(120);
    await expectProblem(past, 429, 'rate_limited');
    const [other] = await ask(await strict.token(someone(), null), 1);
    expect(other?.status).toBe(200);
  });
});

test('at most six requests of an invocation wait for their headers, and six do', async () => {
  await fetch(`${rig.providers.url}/_local/stats?reset`);
  const { token } = await rig.user(someone());
  // One chunk, twenty rows at once.
  const { id } = await rig.startJob(token, companies(40, 'Not searched for yet'));
  const job = await rig.ended(token, id);
  expect(job.rows.succeeded).toBe(40);
  const chunks = await rig.database.pool.query('select 1 from job_chunks where job_id = $1', [id]);
  expect(chunks.rowCount).toBe(1);
  const { total } = rig.providers.stats();
  expect(total).toEqual({ requests: 80, waiting: 0, maxWaiting: 6 });
});

test('the log: a line of JSON a request, with the route, and no e-mail, token, cell or secret', async () => {
  rig.lines.length = 0;
  const sub = someone();
  const { token, me } = await rig.user(sub, 'ada.lovelace@private.example');
  const { id } = await rig.createJob(token, {
    filename: 'private-filename.csv',
    prompt: 'private prompt',
  });
  await rig.upload(
    token,
    id,
    'company,mail\nPrivate Cell GmbH FAIL_SEARCH,person@private.example\n',
  );
  await rig.ended(token, id);
  await rig.output(token, id);
  await rig.api('/v1/jobs?cursor=private-query', { token });
  await rig.api('/v1/jobs', {
    method: 'POST',
    token,
    body: '{"private',
    headers: { 'content-type': 'application/json' },
  });
  await rig.api('/private/path', { token });
  await rig.postWebhook('{"private', { secret: 'wrong' });
  const lines = await waitFor(
    () => rig.lines.some((line) => line.includes('/webhooks')) && rig.lines,
  );
  const parsed = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  for (const line of lines) expect(line).not.toContain('\n');
  const requests = parsed.filter(({ event }) => event === 'request');
  expect(requests).toEqual(
    expect.arrayContaining([
      expect.objectContaining({ method: 'GET', route: '/v1/me', status: 200, userId: me.id }),
      expect.objectContaining({ method: 'PUT', route: '/v1/jobs/:id/input', status: 202 }),
      expect.objectContaining({ method: 'GET', route: '/v1/jobs/:id/output', status: 200 }),
      expect.objectContaining({
        method: 'POST',
        route: '/webhooks/stripe',
        status: 400,
        userId: null,
      }),
    ]),
  );
  for (const request of requests) {
    expect(request['requestId']).toMatch(/^[\w-]{8,}$/);
    expect(request['durationMs']).toBeGreaterThanOrEqual(0);
  }
  const all = lines.join('\n');
  for (const secret of [/private/i, /@/, /lovelace/i, new RegExp(sub), /eyJ/, /Bearer/])
    expect(all).not.toMatch(secret);
  for (const name of ['AUTH_JWT_SECRET', 'QSTASH_TOKEN', 'DATABASE_URL', 'LLM_API_KEY'])
    expect(all).not.toContain(rig.env[name]);
});
