import { afterAll, describe, expect, onTestFinished, test } from 'vitest';
import { assertBooksHold } from '../support/ledger-invariants.ts';
import { event, packSession } from '../support/stripe-events.ts';
import { someone, startRig } from '../support/worker.ts';
import { waitFor } from '../support/worker-client.ts';
import { companies, parseCsv, toCsv } from '../support/worker-csv.ts';
import { expectProblem } from '../support/worker-problem.ts';

const rig = await startRig();

afterAll(async () => {
  await assertBooksHold(rig.database.pool);
  await rig.close();
});

const added = [
  'research_summary',
  'research_sources',
  'email_subject',
  'email_body',
  'row_status',
  'row_error',
  'row_note',
];

/** Cells that CSV tools like to break. */
const header = ['company', 'note, with comma', 'a "quoted" name', 'número', '=1+1'];
const nasty = [
  ['Plain', 'nothing', 'special', '1', ''],
  ['Comma, Inc.', 'a,b,,c', ',', ',,', '","'],
  ['Say "hi"', '"', '""', 'mid"dle', '"all"'],
  ['Two\nlines', 'CRLF\r\nin a cell', '\n', 'ends with newline\n', '\r\n\r\n'],
  ['Ünïcøde 株式会社', '👩‍👩‍👧 e\u0301', 'مرحبا', '\u00a0nbsp\u00a0', 'zero\u200bwidth'],
  ['  blanks  ', ' ', '\ttab', 'tab\t', 'a  b'],
  ['=SUM(A1:A9)', '+cmd|calc', '-1+2', '@SUM(1)', '＝full'],
  ['-12.5', '+4915112345', '+1 (555) 010-999', '-3 %', '1e-7'],
  ["O'Neill", "'quoted", '`tick`', '$x ${y} {{z}}', '\\n \\" \\'],
  ['007', '1e5', 'TRUE', 'null', 'undefined'],
  ['<b>html</b>', '&amp;', 'a;b', 'a|b', '\ufeffbom'],
  ['long', 'x'.repeat(5000), 'y', 'z', '🙂'.repeat(300)],
];

/** What a spreadsheet must not run gets a leading quote; numbers and phone numbers stay. */
const neutral = (cell: string): string =>
  /^[=+\-@\t\r\n＝]/.test(cell) && !/^[+-][\d\s().-]+%?$/.test(cell) ? `'${cell}` : cell;

async function finished(csv: string | Uint8Array, rows: number) {
  const { token } = await rig.user(someone());
  const { id } = await rig.startJob(token, csv);
  const job = await rig.ended(token, id);
  expect(job).toMatchObject({ status: 'completed', rows: { total: rows, done: rows } });
  return { token, job };
}

/** Each record's input cells, and what was added to them. */
function split(text: string, width: number) {
  const [names = [], ...records] = parseCsv(text);
  expect(names.slice(width)).toEqual(added);
  for (const record of records) expect(record).toHaveLength(width + added.length);
  return {
    input: [names, ...records].map((record) => record.slice(0, width)),
    results: records.map((record) => record.slice(width)),
  };
}

describe('the result of a nasty file', async () => {
  const { token, job } = await finished(toCsv([header, ...nasty]), nasty.length);

  test('raw: every cell as it came, in order, each with its own research and letter', async () => {
    const { input, results } = split(await rig.output(token, job.id, '?raw=true'), header.length);
    expect(input).toEqual([header, ...nasty]);
    for (const [summary, sources, subject, letter, status, error] of results) {
      expect({ status, error }).toEqual({ status: 'ok', error: '' });
      expect(summary).toMatch(/\w{3}/);
      expect(sources).toMatch(/^https:/);
      expect(subject).toMatch(/\w{3}/);
      expect(letter).toMatch(/^Hello [\s\S]+\(ref \w+\)$/);
    }
    expect(new Set(results.map(([, , , letter]) => letter)).size).toBe(nasty.length);
    expect(results[0]?.[0]).toContain('Plain');
  });

  test('safe: what a spreadsheet would run is quoted, numbers and all else are not', async () => {
    const { input } = split(await rig.output(token, job.id), header.length);
    const formulas = nasty.flat().filter((cell) => neutral(cell) !== cell);
    expect(formulas).toEqual(
      expect.arrayContaining(['=SUM(A1:A9)', '+cmd|calc', '-1+2', '@SUM(1)', '＝full', '\ttab']),
    );
    expect(input).toEqual([header, ...nasty].map((row) => row.map(neutral)));
    expect(await rig.output(token, job.id, '?raw=false')).toBe(await rig.output(token, job.id));
  });

  test('bom=true is the same file behind a byte order mark', async () => {
    const plain = await rig.output(token, job.id);
    expect(plain.startsWith('\ufeff')).toBe(false);
    expect(await rig.output(token, job.id, '?bom=true')).toBe(`\ufeff${plain}`);
    const both = await rig.output(token, job.id, '?bom=true&raw=true');
    expect(both).toBe(`\ufeff${await rig.output(token, job.id, '?raw=true')}`);
  });

  test.each(['raw=1', 'bom=yes', 'partial='])('%s is refused, not guessed at', async (query) => {
    const answer = await rig.api(`/v1/jobs/${job.id}/output?${query}`, { token });
    const { errors } = await expectProblem(answer, 422, 'invalid_request');
    expect(errors).toMatchObject([{ field: query.split('=')[0] }]);
  });

  test('a copy that is still good is not sent again; every variant is its own', async () => {
    const get = (query: string, etag?: string) =>
      rig.api(`/v1/jobs/${job.id}/output${query}`, {
        token,
        headers: etag === undefined ? {} : { 'if-none-match': etag },
      });
    const etags: string[] = [];
    for (const query of ['', '?raw=true', '?bom=true', '?raw=true&bom=true']) {
      const answer = await get(query);
      await answer.text();
      const etag = answer.headers.get('etag') ?? '';
      expect(etag).toMatch(/^(?:W\/)?"[^"]+"$/);
      etags.push(etag);
      const again = await get(query, etag);
      expect(again.status).toBe(304);
      expect(await again.text()).toBe('');
    }
    expect(new Set(etags).size).toBe(4);
    expect((await get('', '"other"')).status).toBe(200);
  });

  // RFC 9110, 13.1.2; Cloudflare makes the tag weak wherever it compresses the answer.
  test.each<[string, (etag: string) => string]>([
    ['made weak on its way', (etag) => `W/${etag}`],
    ['among others', (etag) => `"other", ${etag}`],
    ['whichever', () => '*'],
  ])('a tag %s is recognised', async (_, sent) => {
    const path = `/v1/jobs/${job.id}/output`;
    const etag = (await rig.api(path, { token })).headers.get('etag') ?? '';
    const again = await rig.api(path, { token, headers: { 'if-none-match': sent(etag) } });
    expect(again.status).toBe(304);
  });
});

test.each<[string, string, string[]]>([
  ['leads.csv', 'leads-results.csv', ['leads-results.csv']],
  ['Größen "EU", 名簿.csv', 'Größen "EU", 名簿-results.csv', []],
  ["../../etc/pass'wd", "../../etc/pass'wd-results.csv", []],
])('the download of %s has a name that every browser takes', async (filename, wanted, plain) => {
  const { token } = await rig.user(someone());
  const { id } = await rig.createJob(token, { filename });
  await rig.upload(token, id, 'company\nAcme\n');
  await rig.ended(token, id);
  const answer = await rig.api(`/v1/jobs/${id}/output`, { token });
  await answer.text();
  expect(answer.headers.get('content-type')).toBe('text/csv; charset=utf-8');
  const disposition = answer.headers.get('content-disposition') ?? '';
  const [, ascii = '', utf8 = ''] =
    /^attachment; filename="([^"\\]*)"; filename\*=UTF-8''([\w!#$&+.^`|~%-]+)$/.exec(disposition) ??
    [];
  expect(decodeURIComponent(utf8)).toBe(wanted);
  expect(ascii).toMatch(/^[\w.-]+\.csv$/);
  for (const name of plain) expect(ascii).toBe(name);
});

test.each<[string, (text: string) => string | Uint8Array]>([
  ['CRLF', (text) => text.replaceAll('\n', '\r\n')],
  ['CR alone', (text) => text.replaceAll('\n', '\r')],
  ['UTF-8 with a byte order mark', (text) => `\ufeff${text}`],
  ['UTF-16 LE', (text) => Buffer.from(`\ufeff${text}`, 'utf16le')],
  ['UTF-16 BE', (text) => Buffer.from(`\ufeff${text}`, 'utf16le').swap16()],
  ['no newline at the end', (text) => text.trimEnd()],
  ['semicolons', (text) => text.replaceAll(',', ';')],
  ['tabs', (text) => text.replaceAll(',', '\t')],
  ['blank lines', (text) => `\n${text.replaceAll('\n', '\n\n')}\n`],
])('a file with %s gives the same rows', async (_, encode) => {
  const { token, job } = await finished(
    encode('company,land\nMüller,Österreich\nAcme,"US A"\n'),
    2,
  );
  const { input } = split(await rig.output(token, job.id), 2);
  expect(input).toEqual([
    ['company', 'land'],
    ['Müller', 'Österreich'],
    ['Acme', 'US A'],
  ]);
});

test('rows that fail are marked with the reason, cost nothing and fail no other', async () => {
  const rows = Array.from({ length: 20 }, (_, i) => [`Company ${i}`, '']);
  const words: Record<number, string> = { 2: 'FAIL_SEARCH', 7: 'FAIL_LLM', 11: 'CUT_LLM' };
  for (const [i, word] of Object.entries(words)) rows[Number(i)] = [`Company ${i} ${word}`, ''];
  const { token, job } = await finished(toCsv([['company', 'x'], ...rows]), 20);
  expect(job).toMatchObject({
    rows: { succeeded: 17, failed: 3 },
    credits: { held: 0, charged: 17, released: 3 },
  });
  const { results, input } = split(await rig.output(token, job.id), 2);
  expect(input.slice(1)).toEqual(rows);
  const failed = results.flatMap(([summary, , , letter, status, error], i) =>
    status === 'ok' ? [] : [[i, summary, letter, status, error]],
  );
  expect(failed).toEqual([
    [2, '', '', 'error', expect.stringMatching(/^Search .*500/)],
    [7, '', '', 'error', expect.stringMatching(/^Model .*500/)],
    [11, '', '', 'error', expect.stringMatching(/broke off/)],
  ]);
  expect((await rig.me(token)).credits).toMatchObject({ balance: 483, bonus: 483, held: 0 });
  const ledger = await rig.entries(token);
  expect(ledger.map(({ amount, jobId }) => [amount, jobId])).toEqual([
    [3, job.id],
    [-20, job.id],
    [500, null],
  ]);
});

describe('too few credits', () => {
  test('402 keeps the rows; a purchase starts the job by itself, and start says so', async () => {
    const { token, me } = await rig.user(someone());
    const { id } = await rig.createJob(token);
    const refused = await expectProblem(
      await rig.upload(token, id, companies(501)),
      402,
      'insufficient_credits',
    );
    expect(refused).toMatchObject({ required: 501, balance: 500 });
    expect(await rig.readJob(token, id)).toMatchObject({
      status: 'awaiting_credits',
      rows: { total: 501, done: 0 },
      credits: { held: 0, charged: 0 },
    });
    expect((await rig.me(token)).credits).toMatchObject({ balance: 500, held: 0 });
    const start = () => rig.api(`/v1/jobs/${id}/start`, { method: 'POST', token });
    await expectProblem(await start(), 402, 'insufficient_credits');
    await expectProblem(await rig.api(`/v1/jobs/${id}/output`, { token }), 409, 'no_output');

    const sale = packSession({ userId: me.id, pack: 'small' });
    await rig.postWebhook(event('checkout.session.completed', sale));
    const job = await rig.ended(token, id);
    const starts = await Promise.all([start(), start(), start()]);
    expect(starts.map(({ status }) => status)).toEqual([202, 202, 202]);
    expect(await starts[0]?.json()).toMatchObject({ job: { id, status: 'completed' } });
    expect(job).toMatchObject({ status: 'completed', rows: { succeeded: 501 } });
    const records = parseCsv(await rig.output(token, id));
    expect(records.slice(1).map(([company]) => company)).toEqual(
      Array.from({ length: 501 }, (_, i) => `Company ${i}`),
    );
    // Bonus goes before what was bought.
    expect((await rig.me(token)).credits).toMatchObject({ balance: 499, bonus: 0, purchased: 499 });
  });
});

describe('while a job runs', () => {
  test('its output is refused unless partial, as are uploads; partial rows are whole', async () => {
    const { token } = await rig.user(someone());
    // QStash can send none of the messages: the deliveries are ours to make.
    rig.qstash.faults.add({ on: 'message', kind: 'status' });
    onTestFinished(() => rig.qstash.faults.clear());
    const { id } = await rig.startJob(token, companies(12));
    const deliver = async (chunk: number) =>
      (await rig.postQueue('/queue/chunks', JSON.stringify({ jobId: id, run: 1, chunk }))).json();
    const output = (query = '') => rig.api(`/v1/jobs/${id}/output${query}`, { token });
    const partial = async () => {
      const answer = await output('?partial=true');
      expect(answer.status).toBe(200);
      expect(answer.headers.get('etag')).toBeNull();
      return parseCsv(await answer.text());
    };
    const refusal = await expectProblem(await output(), 409, 'job_running');
    expect(refusal.detail).toContain('partial');
    await expectProblem(await rig.upload(token, id, companies(1)), 409, 'job_not_open');
    const start = await rig.api(`/v1/jobs/${id}/start`, { method: 'POST', token });
    expect(start.status).toBe(202);
    expect(await start.json()).toMatchObject({ job: { id, status: 'running' } });
    expect(await partial()).toEqual([['company', 'city', ...added]]);

    expect(await deliver(1)).toMatchObject({ outcome: 'committed' });
    expect(await rig.readJob(token, id)).toMatchObject({
      status: 'running',
      rows: { total: 12, done: 6, succeeded: 6, failed: 0 },
      credits: { held: 12, charged: 0 },
      progress: 0.5,
      finishedAt: null,
    });
    expect((await rig.me(token)).credits).toMatchObject({ balance: 488, held: 12 });
    const early = await partial();
    expect(early.slice(1).map(([company]) => company)).toEqual(
      [6, 7, 8, 9, 10, 11].map((i) => `Company ${i}`),
    );
    await expectProblem(await output(), 409, 'job_running');

    expect(await deliver(0)).toMatchObject({ outcome: 'committed' });
    expect(await rig.readJob(token, id)).toMatchObject({ status: 'completed', progress: 1 });
    const whole = parseCsv(await rig.output(token, id));
    expect(whole.map(([company]) => company)).toEqual([
      'company',
      ...Array.from({ length: 12 }, (_, i) => `Company ${i}`),
    ]);
    expect(whole.slice(7)).toEqual(early.slice(1));
    expect(parseCsv(await rig.output(token, id, '?partial=true'))).toEqual(whole);
  });

  test('two files for one job that race: one is taken whole, the other refused', async () => {
    const { token } = await rig.user(someone());
    const { id } = await rig.createJob(token);
    const files = ['First', 'Second', 'Third'].map((name) => companies(40, name));
    const answers = await Promise.all(files.map((file) => rig.upload(token, id, file)));
    const taken = answers.findIndex(({ status }) => status === 202);
    for (const [i, answer] of answers.entries()) if (i !== taken) expect(answer.status).toBe(409);
    await rig.ended(token, id);
    const records = parseCsv(await rig.output(token, id, '?raw=true'));
    expect(records.map((record) => record.slice(0, 2))).toEqual(
      parseCsv((files[taken] ?? '').replaceAll('\n', '\r\n')),
    );
    expect((await rig.me(token)).credits.balance).toBe(460);
  });
});

test('events of a job that has ended say so at once; a client that leaves harms nothing', async () => {
  const { token, job } = await finished(companies(3), 3);
  const answer = await rig.api(`/v1/jobs/${job.id}/events`, { token });
  const text = await answer.text();
  expect(text.match(/^event: .*$/gm)).toEqual(['event: progress', 'event: done']);
  const { id } = await rig.createJob(token);
  const quit = new AbortController();
  const open = await fetch(`${rig.url}/v1/jobs/${id}/events`, {
    headers: { authorization: `Bearer ${token}` },
    signal: quit.signal,
  });
  const reader = open.body?.getReader();
  expect(new TextDecoder().decode((await reader?.read())?.value)).toContain('"status":"created"');
  quit.abort();
  await waitFor(async () => (await rig.readJob(token, id)).status === 'created');
});
