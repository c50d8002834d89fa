import { connect } from 'node:net';
import { once } from 'node:events';
import { afterAll, describe, expect, test } from 'vitest';
import { assertBooksHold } from '../support/ledger-invariants.ts';
import { charactersOf1252, encodings } from '../support/csv.ts';
import { someone, startRig } from '../support/worker.ts';
import { waitFor } from '../support/worker-client.ts';
import { expectProblem } from '../support/worker-problem.ts';

// No credits: rows are stored and nothing else runs.
const rig = await startRig({ env: { SIGNUP_CREDITS: '0' } });

afterAll(async () => {
  await assertBooksHold(rig.database.pool);
  await rig.close();
});

async function rowsOf(id: string): Promise<string[][]> {
  const { rows } = await rig.database.pool.query<{ rows: string[][] }>(
    'select rows from job_chunks where job_id = $1 order by index',
    [id],
  );
  return rows.flatMap((chunk) => chunk.rows);
}

describe('the runtime decodes as the tests of the reader do', () => {
  test.each(Object.entries(encodings))('%s, 300 KB', async (name, encode) => {
    const { token } = await rig.user(someone());
    const { id } = await rig.createJob(token);
    const special = name === 'Windows-1252' ? `é1${charactersOf1252.join('')}` : 'é€😀中\u{10ffff}';
    const plain = Array.from({ length: 3000 }, (_, i) => [`row ${i}`, 'x'.repeat(80)]);
    const cells = [...plain, ...plain.map(([first = ''], i) => [first, `${special}${i}`])];
    const text = ['a;b', ...cells.map((row) => row.join(';'))].join('\r\n');
    const type = name === 'Windows-1252' ? 'text/csv; charset=windows-1252' : 'text/csv';
    const answer = await rig.api(`/v1/jobs/${id}/input`, {
      method: 'PUT',
      token,
      body: encode(text),
      headers: { 'content-type': type },
    });
    expect(answer.status).toBe(402);
    expect(await rowsOf(id)).toEqual(cells);
  });
});

describe('what is not the file itself is refused before anything changes', () => {
  test.each<[string, Record<string, string>]>([
    ['a form', { 'content-type': 'multipart/form-data; boundary=x' }],
    ['JSON', { 'content-type': 'application/json; charset=utf-8' }],
    ['JSON of some kind', { 'content-type': 'application/problem+json' }],
    ['a compressed body', { 'content-type': 'text/csv', 'content-encoding': 'gzip' }],
  ])('%s', async (_, headers) => {
    const { token } = await rig.user(someone());
    const { id } = await rig.createJob(token);
    const path = `/v1/jobs/${id}/input`;
    const answer = await rig.api(path, { method: 'PUT', token, body: 'a,b\n1,2\n', headers });
    await expectProblem(answer, 415, 'unsupported_media_type');
    expect(await rig.readJob(token, id)).toMatchObject({ status: 'created', rows: { total: 0 } });
  });

  test.each([
    'text/csv; charset=utf-8',
    'text/plain',
    'application/octet-stream',
    'application/vnd.ms-excel',
    'application/x-www-form-urlencoded',
    '',
  ])('a file sent as "%s" is taken', async (type) => {
    const { token } = await rig.user(someone());
    const { id } = await rig.createJob(token);
    const headers = { 'content-type': type, 'content-encoding': 'identity' };
    const path = `/v1/jobs/${id}/input`;
    const answer = await rig.api(path, { method: 'PUT', token, body: 'a,b\n1,2\n', headers });
    await expectProblem(answer, 402, 'insufficient_credits');
    expect(await rowsOf(id)).toEqual([['1', '2']]);
  });
});

test('a caller who goes away half way leaves no rows, however many were stored', async () => {
  const { token } = await rig.user(someone());
  const { id } = await rig.createJob(token);
  const { hostname, port } = new URL(rig.url);
  const socket = connect(Number(port), hostname);
  await once(socket, 'connect');
  const text = `a,b\n${`1,${'x'.repeat(98)}\n`.repeat(15_000)}`;
  socket.write(
    `PUT /v1/jobs/${id}/input HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\nContent-Type: text/csv\r\nContent-Length: ${text.length * 2}\r\n\r\n${text}`,
  );
  await waitFor(async () => (await rowsOf(id)).length > 0);
  socket.destroy();
  await waitFor(async () => (await rig.readJob(token, id)).status === 'created');
  expect(await rowsOf(id)).toEqual([]);
  expect((await rig.upload(token, id, 'a,b\n1,2\n')).status).toBe(402);
});
