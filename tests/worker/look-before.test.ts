import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, expect, test } from 'vitest';
import { startAskedProviders } from '../support/asked-providers.ts';
import { encodeLegacy } from '../support/legacy-encode.ts';
import { assertBooksHold } from '../support/ledger-invariants.ts';
import { someone, startRig } from '../support/worker.ts';
import { type Job, waitFor } from '../support/worker-client.ts';
import { parseCsv } from '../support/worker-csv.ts';
import { expectProblem } from '../support/worker-problem.ts';

const asked = await startAskedProviders();
/** Two rows at a time. */
const rig = await startRig({
  env: { ...asked.env, PARALLEL_INVOCATIONS: '1', PARALLEL_ROWS_PER_INVOCATION: '2' },
});
asked.answerBy(rig.providers);

afterAll(async () => {
  await assertBooksHold(rig.database.pool);
  await rig.close();
  await asked.close();
});

type Item = { index: number; status: string; output: Record<string, string> | null };
type Preview = {
  encoding: string;
  delimiter: string;
  header: string[];
  rows: string[][];
  rowsTotal: number;
  research: { columns: string[]; queries: string[] };
  prompt: string;
  cost: { credits: number; balance: number };
};

const total = 24;

/** An export of our corpus with further rows, as many as make `total`. */
function exportOf(name: string, encoding: string, row: (number: number) => string): Uint8Array {
  const start = readFileSync(`tests/corpora/exports/${name}`);
  const rows = Array.from({ length: total - 3 }, (_, i) => row(i + 4)).join('');
  const more = encodeLegacy(encoding, rows) ?? expect.unreachable();
  return Buffer.concat([start, more]);
}

type Case = {
  file: Uint8Array;
  type: string;
  read: { encoding: string; delimiter: string };
  /** The column that is searched for, and what its first three rows hold. */
  company: string;
  first: string[];
  change: { prompt: string; language: string };
  says: { task: string; language: string };
};

const cases: [name: string, told: Case][] = [
  [
    "HubSpot's contacts, English",
    {
      file: exportOf(
        'hubspot-contacts.csv',
        'windows-1252',
        (n) =>
          `"${n}","Ann","Lee","ann@harbour-${n}.example","","","NEW","2026-10-05","Harbour ${n} Ltd"\n`,
      ),
      type: 'text/csv',
      read: { encoding: 'UTF-8', delimiter: ',' },
      company: 'Associated Company',
      first: ['Nordlicht Energie GmbH', 'Padaria Carvalho, Lda.', 'Tanaka "Washi" Works'],
      change: { prompt: 'Invite {{First Name}} to our fair.', language: 'fr' },
      says: { task: 'Invite <cell>Ann</cell> to our fair.', language: 'French (fr)' },
    },
  ],
  [
    "Excel's German file in Windows-1252, with semicolons",
    {
      file: exportOf(
        'excel-german.csv',
        'windows-1252',
        (n) => `Gerätebau ${n} GmbH;Lübeck;${n},50\r\n`,
      ),
      type: 'text/csv',
      read: { encoding: 'Windows-1252', delimiter: ';' },
      company: 'Firma',
      first: ['Bäckerei Groß', 'Müller & Söhne', 'Café "Zur Brücke"'],
      change: { prompt: 'Schreibe nach {{Ort}}.', language: 'de' },
      says: { task: 'Schreibe nach <cell>Lübeck</cell>.', language: 'German (de)' },
    },
  ],
  [
    "Excel's Japanese file in Shift_JIS",
    {
      file: exportOf(
        'excel-japanese.csv',
        'shift_jis',
        (n) => `株式会社大阪精機${n},鈴木一郎,03-5550-${1000 + n}\r\n`,
      ),
      type: 'text/csv; charset=Shift_JIS',
      read: { encoding: 'Shift_JIS', delimiter: ',' },
      company: '会社名',
      first: ['株式会社山田製作所', '有限会社さくら印刷', 'トヨシマ電機株式会社'],
      change: { prompt: '{{担当者}}様へ', language: 'ja' },
      says: { task: '<cell>鈴木一郎</cell>様へ', language: 'Japanese (ja)' },
    },
  ],
];

/** The calls of one user for one job; `spent` are the credits that are gone or on hold. */
function callsOf(token: string, id: string) {
  const path = `/v1/jobs/${id}`;
  const post = <T>(verb: string, body?: unknown) =>
    rig.json<T>(`${path}/${verb}`, { method: 'POST', token, body });
  return {
    path,
    preview: () => rig.json<Preview>(`${path}/preview`, { token }),
    sample: async () => (await post<{ items: Item[] }>('sample', { rows: 2 })).items,
    rows: async () => (await rig.json<{ items: Item[] }>(`${path}/rows`, { token })).items,
    verb: async (verb: string) => (await post<{ job: Job }>(verb)).job,
    spent: async () => 500 - (await rig.me(token)).credits.balance,
  };
}

test.each(cases)('%s: looked at, sampled, changed, run, paused and resumed', async (_, told) => {
  const { token } = await rig.user(someone());
  const from = { searched: asked.searched.length, prompted: asked.prompted.length };
  const searched = () => asked.searched.slice(from.searched);
  const prompted = () => asked.prompted.slice(from.prompted);

  const { id } = await rig.createJob(token, { start: 'manual' });
  const calls = callsOf(token, id);
  const sent = await rig.api(`${calls.path}/input`, {
    method: 'PUT',
    token,
    body: told.file,
    headers: { 'content-type': told.type },
  });
  expect(sent.status).toBe(202);
  expect(await sent.json()).toMatchObject({ job: { status: 'ready', credits: { held: 0 } } });

  const seen = await calls.preview();
  expect(seen).toMatchObject({
    ...told.read,
    rowsTotal: total,
    cost: { credits: total, balance: 500 },
  });
  const at = seen.header.indexOf(told.company);
  const companies = seen.rows.map((row) => row[at] ?? '');
  expect(companies.slice(0, 3)).toEqual(told.first);
  expect(seen.research.columns).toContain(told.company);
  const { queries } = seen.research;
  expect(queries).toHaveLength(10);
  for (const [i, query] of queries.entries()) expect(query).toContain(companies[i]);
  expect([searched(), prompted(), await calls.spent()]).toEqual([[], [], 0]);

  const sample = await calls.sample();
  expect(sample.map(({ index, status }) => [index, status])).toEqual([
    [0, 'ok'],
    [1, 'ok'],
  ]);
  expect(searched().toSorted()).toEqual(queries.slice(0, 2).toSorted());
  // What was shown is what was asked, but for what the search has found.
  const [rule = ''] = seen.prompt.split('<research>');
  expect(prompted().map((prompt) => prompt.startsWith(rule))).toContain(true);
  expect(await calls.sample()).toEqual(sample);
  expect([prompted().length, await calls.spent()]).toEqual([2, 2]);

  const patched = await rig.json<{ job: object }>(calls.path, {
    method: 'PATCH',
    token,
    body: told.change,
  });
  expect(patched.job).toMatchObject({ status: 'ready', ...told.change });
  const again = await calls.preview();
  expect(again.cost).toEqual({ credits: total - 2, balance: 498 });
  expect(again.prompt).toContain(told.says.language);
  expect(again.prompt).toContain(told.first[2]);
  expect((await calls.rows()).slice(0, 2)).toEqual(sample);

  const release = asked.holdAfter(asked.prompted.length + 2);
  expect(await calls.verb('start')).toMatchObject({
    status: 'running',
    credits: { held: total - 2 },
  });
  await waitFor(() => prompted().length === 6);
  expect(await calls.verb('pause')).toMatchObject({ status: 'paused' });
  release();
  // The rows that the model was at are finished; whoever works on them hears of the pause every five rows.
  const stopped = await waitFor(async () => {
    const job = await rig.readJob(token, id);
    return job.credits.held === 0 && job;
  });
  const { done } = stopped.rows;
  expect(stopped).toMatchObject({
    status: 'paused',
    rows: { failed: 0 },
    credits: { charged: done },
  });
  expect(done).toBeGreaterThanOrEqual(6);
  expect(done).toBeLessThan(total - 6);
  expect(await calls.spent()).toBe(done);
  await pause(500);
  expect(prompted()).toHaveLength(done);
  const change = await rig.api(calls.path, { method: 'PATCH', token, body: told.change });
  await expectProblem(change, 409, 'job_not_open');

  await calls.verb('resume');
  expect(await rig.ended(token, id)).toMatchObject({
    status: 'completed',
    rows: { total, done: total, succeeded: total, failed: 0, skipped: 0 },
    credits: { held: 0, charged: total },
    usage: { searches: total },
  });
  expect(await calls.spent()).toBe(total);

  // Every row was asked for once: the samples as it was first, the others as it was changed.
  expect(new Set(searched()).size).toBe(total);
  expect(searched()).toHaveLength(total);
  expect(searched()).toEqual(expect.arrayContaining(queries));
  const isChanged = (prompt: string) => prompt.includes(told.says.language);
  expect(prompted().map(isChanged)).toEqual([
    false,
    false,
    ...Array<boolean>(total - 2).fill(true),
  ]);
  expect(prompted().filter((prompt) => prompt.includes(told.says.task))).toHaveLength(total - 3);

  const [names = [], ...records] = parseCsv(await rig.output(token, id));
  const results = ['research_summary', 'research_sources', 'email_subject', 'email_body'];
  expect(names).toEqual([...seen.header, ...results, 'row_status', 'row_error', 'row_note']);
  expect(records).toHaveLength(total);
  for (const [i, company] of companies.entries()) expect(records[i]?.[at]).toBe(company);
  for (const record of records) {
    expect(record.slice(-3)).toEqual(['ok', '', '']);
    for (const cell of record.slice(-7, -3)) expect(cell).toMatch(/\w/);
  }
  for (const { index, output } of sample)
    expect(records[index]?.slice(-7, -3)).toEqual(results.map((name) => output?.[name]));
});
