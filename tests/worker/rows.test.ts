import { readFileSync } from 'node:fs';
import { afterAll, describe, expect, test } from 'vitest';
import { assertBooksHold } from '../support/ledger-invariants.ts';
import { someone, startRig } from '../support/worker.ts';
import { parseCsv } from '../support/worker-csv.ts';
import { expectProblem } from '../support/worker-problem.ts';

const rig = await startRig({ env: { SIGNUP_CREDITS: '4' } });

afterAll(async () => {
  await assertBooksHold(rig.database.pool);
  await rig.close();
});

type Preview = {
  encoding: string;
  delimiter: string;
  header: string[];
  rows: string[][];
  rowsTotal: number;
  emptyRows: number;
  duplicateRows: number;
  research: { columns: string[]; queries: (string | null)[] };
  prompt: string;
  cost: { credits: number; balance: number };
  warnings: string[];
};
type Item = {
  index: number;
  status: string;
  note: string | null;
  error: string | null;
  input: Record<string, string>;
  output: Record<string, string> | null;
};
type Page = { items: Item[]; nextCursor: string | null };

const sent = (name: string): Buffer => readFileSync(`tests/corpora/exports/${name}`);

/** A file that was sent; more rows than there are credits for wait, so that nothing of it is worked. */
async function uploaded(
  file: Uint8Array | string,
  { charset, ...body }: Record<string, unknown> = {},
) {
  const { token } = await rig.user(someone());
  const { id } = await rig.createJob(token, body);
  const type = `text/csv${typeof charset === 'string' ? `; charset=${charset}` : ''}`;
  const answer = await rig.api(`/v1/jobs/${id}/input`, {
    method: 'PUT',
    token,
    body: file,
    headers: { 'content-type': type },
  });
  const path = `/v1/jobs/${id}`;
  const preview = () => rig.json<Preview>(`${path}/preview`, { token });
  const rows = (query = '') => rig.json<Page>(`${path}/rows${query}`, { token });
  return { token, id, path, status: answer.status, preview, rows };
}

const many = (file: string, line: string): string => `${file.trimEnd()}\n${line.repeat(3)}`;

describe('a file is looked at before anything is charged', () => {
  test("HubSpot's contacts, English", async () => {
    const extra = '"9","Al","Ng","al@acme.example","","","NEW","2026-10-04","Acme Ltd"\n';
    const job = await uploaded(many(sent('hubspot-contacts.csv').toString(), extra));
    expect(job.status).toBe(402);
    const seen = await job.preview();
    expect(Object.keys(seen).toSorted()).toEqual(
      'cost delimiter duplicateRows emptyRows encoding header prompt research rows rowsTotal warnings'.split(
        ' ',
      ),
    );
    expect(seen).toMatchObject({
      encoding: 'UTF-8',
      delimiter: ',',
      rowsTotal: 6,
      emptyRows: 0,
      duplicateRows: 2,
      cost: { credits: 6, balance: 4 },
    });
    expect(seen.header).toContain('Associated Company');
    expect(seen.rows[2]?.at(-1)).toBe('Tanaka "Washi" Works');
    expect(seen.research.queries).toHaveLength(6);
    expect(seen.prompt).toMatch(/jana\.vogel@nordlicht-energie\.example/);
    expect(seen.warnings.join('\n')).toMatch(
      /no sender profile[^]*2 rows are the same[^]*covers 4 of 6 rows/,
    );
    expect((await rig.me(job.token)).credits).toMatchObject({ balance: 4, held: 0 });
  });

  test("Excel's German file", async () => {
    const job = await uploaded(
      Buffer.concat([sent('excel-german.csv'), Buffer.from('A;B;1\r\nC;D;2\r\n')]),
      { prompt: 'Schreibe an {{Firma}} in {{Ort}}.' },
    );
    const seen = await job.preview();
    expect(seen).toMatchObject({ encoding: 'Windows-1252', delimiter: ';', rowsTotal: 5 });
    expect(seen.rows[0]).toEqual(['Bäckerei Groß', 'Köln', '1.234,50']);
    expect(seen.research.queries[0]).toContain('Bäckerei Groß');
    expect(seen.prompt.replaceAll(/<\/?cell>/g, '')).toContain(
      'Schreibe an Bäckerei Groß in Köln.',
    );
  });

  test("Excel's Japanese file", async () => {
    const job = await uploaded(
      Buffer.concat([sent('excel-japanese.csv'), Buffer.from('A,B,1\r\nC,D,2\r\n')]),
      { charset: 'shift_jis' },
    );
    const seen = await job.preview();
    expect(seen).toMatchObject({ encoding: 'Shift_JIS', delimiter: ',', rowsTotal: 5 });
    expect(seen.header).toEqual(['会社名', '担当者', '電話番号']);
    expect(seen.research.queries[0]).toContain('株式会社山田製作所');
    const { items } = await job.rows('?limit=1&q=山田太郎');
    expect(items).toEqual([
      {
        index: 0,
        status: 'pending',
        note: null,
        error: null,
        input: { 会社名: '株式会社山田製作所', 担当者: '山田太郎', 電話番号: '03-5550-1010' },
        output: null,
      },
    ]);
  });
});

describe('what cannot be looked at', () => {
  test('a job without a file, and one of somebody else', async () => {
    const { token } = await rig.user(someone());
    const { id } = await rig.createJob(token);
    const stranger = await rig.user(someone());
    for (const what of ['preview', 'rows']) {
      const path = `/v1/jobs/${id}/${what}`;
      await expectProblem(await rig.api(path, { token }), 409, 'no_input');
      await expectProblem(await rig.api(path, { token: stranger.token }), 404, 'not_found');
    }
  });

  test.each([
    '?status=done',
    '?from=-1',
    '?from=1e3',
    '?from=abc',
    '?from=99999999999',
    '?cursor=0x1',
    '?limit=0',
    '?limit=101',
    '?limit=',
    `?q=${'x'.repeat(201)}`,
  ])('rows%s', async (query) => {
    const job = await uploaded('company\nAcme\nBolt\nCrux\nDune\nEcho\n');
    const answer = await rig.api(`${job.path}/rows${query}`, { token: job.token });
    await expectProblem(answer, 422, 'invalid_request');
  });

  test.each(['?q=%00', '?q=%25', '?q=%F0%9F', '?q=%5C', "?q='--", '?from=100000', '?q=&from=0'])(
    'rows%s is asked for and answered',
    async (query) => {
      const job = await uploaded('company\nAcme\nBolt\nCrux\nDune\nEcho\n');
      const { items } = await job.rows(query);
      expect(items).toHaveLength(query === '?q=&from=0' ? 5 : 0);
    },
  );

  test.each([
    ['prompt', { prompt: 'To {{Nobody}}' }],
    ['columns', { columns: ['Nobody'] }],
    ['research.query', { research: { query: '{{Nobody}} {{company}}' } }],
  ])('a file without the column that `%s` names', async (field, body) => {
    const { token } = await rig.user(someone());
    const { id } = await rig.createJob(token, body);
    const answer = await rig.upload(token, id, 'company\nAcme\n');
    const problem = await expectProblem(answer, 422, 'csv_invalid');
    expect(problem['reason']).toMatch(new RegExp(`^${field}: no column "Nobody"`));
  });
});

describe('the result', async () => {
  const job = await uploaded('Firma,Ort\nAcme,Rome\n,\nBolt,=1+1\nCrux,Bonn\n', {
    filename: '顧客 2026.csv',
  });
  expect(job.status).toBe(202);
  await rig.ended(job.token, job.id);
  const output = (query = '') => rig.api(`${job.path}/output${query}`, { token: job.token });

  test('is named by what it holds, has a note for every row, and its parts make the whole', async () => {
    const all = parseCsv(await rig.output(job.token, job.id));
    expect(all[0]?.slice(-3)).toEqual(['row_status', 'row_error', 'row_note']);
    expect(all[2]?.slice(-3)).toEqual(['skipped', '', 'empty row']);
    expect(all[3]?.slice(0, 2)).toEqual(['Bolt', "'=1+1"]);
    const ok = await output('?rows=ok');
    const named = (answer: Response) =>
      decodeURIComponent(
        /UTF-8''(.*)$/.exec(answer.headers.get('content-disposition') ?? '')?.[1] ?? '',
      );
    expect(named(ok)).toBe('顧客 2026-results-ok.csv');
    const errors = await output('?rows=error');
    expect(named(errors)).toBe('顧客 2026-results-errors.csv');
    expect(named(await output())).toBe('顧客 2026-results.csv');
    expect(parseCsv(await ok.text())).toEqual([all[0], all[1], all[3], all[4]]);
    expect(parseCsv(await errors.text())).toEqual([all[0]]);
    const tags = [ok, errors, await output(), await output('?bom=true')].map((answer) =>
      answer.headers.get('etag'),
    );
    expect(new Set(tags).size).toBe(4);
    await expectProblem(await output('?rows=skipped'), 422, 'invalid_request');
  });

  test('sent again has each column once, and its skipped rows stay skipped', async () => {
    const before = await rig.output(job.token, job.id);
    const again = await uploaded(before);
    expect(again.status).toBe(202);
    await rig.ended(again.token, again.id);
    expect(parseCsv(await rig.output(again.token, again.id))[0]).toEqual(parseCsv(before)[0]);
    const { items } = await again.rows();
    expect(items.map(({ status }) => status)).toEqual(['ok', 'skipped', 'ok', 'ok']);
    expect(Object.keys(items[0]?.input ?? {})).toEqual(['Firma', 'Ort']);
    expect((await again.preview()).warnings.join()).toMatch(/row_note\) are replaced/);
  });

  test('of a job that waits with finished rows is partial, and says so', async () => {
    await rig.database.pool.query("update jobs set status = 'ready' where id = $1", [job.id]);
    const problem = await expectProblem(await output(), 409, 'job_running');
    expect(problem.detail).toMatch(/samples.*partial=true/);
    const partial = await output('?partial=true');
    expect(partial.headers.get('content-disposition')).toMatch(/-results-partial\.csv"/);
    expect(partial.headers.get('etag')).toBeNull();
    expect(parseCsv(await partial.text())).toHaveLength(5);
    await rig.database.pool.query("update jobs set status = 'completed' where id = $1", [job.id]);
  });
});
