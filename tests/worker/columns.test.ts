import { afterAll, describe, expect, test } from 'vitest';
import { assertBooksHold } from '../support/ledger-invariants.ts';
import { someone, startRig } from '../support/worker.ts';
import { parseCsv } from '../support/worker-csv.ts';
import { expectProblem } from '../support/worker-problem.ts';

const rig = await startRig();

afterAll(async () => {
  await assertBooksHold(rig.database.pool);
  await rig.close();
});

const outputs = [
  { name: '従業員数', description: '何人いますか。', type: 'number' },
  { name: 'Sells online?', description: 'Is there a shop?', type: 'boolean' },
  { name: 'Fit', description: 'How well do they fit?', type: 'choice', choices: ['gut', 'kaum'] },
  { name: 'Why', description: 'Why so?', type: 'text' },
];
const added = [...outputs.map(({ name }) => name), 'row_status', 'row_error', 'row_note'];

type Record = { [column: string]: string | undefined };

async function worked(csv: string, settings: object) {
  const { token } = await rig.user(someone());
  const { id } = await rig.createJob(token, { processor: 'columns', outputs, ...settings });
  expect((await rig.upload(token, id, csv)).status).toBe(202);
  const job = await rig.ended(token, id);
  const [names = [], ...records] = parseCsv(await rig.output(token, id));
  const rows = records.map((cells): Record =>
    Object.fromEntries(cells.map((cell, i) => [names[i], cell])),
  );
  return { job, names, rows };
}

describe('questions of one’s own', () => {
  test('are answered in a column each, charged by the row', async () => {
    const csv = 'Firma,Ort\nMüller GmbH,Köln\nソニー株式会社,東京\n';
    const { job, names, rows } = await worked(csv, { prompt: 'For a dentist in {{Ort}}.' });
    expect(job).toMatchObject({
      status: 'completed',
      credits: { charged: 2 },
      usage: { searches: 2 },
    });
    expect(names).toEqual(['Firma', 'Ort', ...added]);
    for (const row of rows) {
      expect(row['従業員数']).toMatch(/^\d+$/);
      expect(row['Sells online?']).toMatch(/^(true|false)$/);
      expect(row['Fit']).toMatch(/^(gut|kaum)$/);
      expect(row['Why']).toMatch(/\w/);
      expect(row['row_status']).toBe('ok');
    }
  });

  test('search for nothing where research is off, and leave empty what is not known', async () => {
    const { job, rows } = await worked('Firma\nNULL_LLM\n', { research: false });
    expect(job).toMatchObject({
      credits: { charged: 1 },
      usage: { searches: 0, cachedSearches: 0 },
    });
    for (const { name } of outputs) expect(rows[0]?.[name]).toBe('');
    expect(rows[0]?.['row_status']).toBe('ok');
  });

  test('a type that the model breaks twice is an error row that says which, and costs nothing', async () => {
    const script = [{ kind: 'wrong-type', match: 'Broken' }];
    await fetch(`${rig.providers.url}/_local/settings`, {
      method: 'PUT',
      body: JSON.stringify({ script }),
    });
    const { job, rows } = await worked('Firma\nBroken AG\nMüller GmbH\n', {});
    expect(job).toMatchObject({ status: 'completed', credits: { charged: 1 } });
    expect(rows.map((row) => row['row_status'])).toEqual(['error', 'ok']);
    expect(rows[0]?.['row_error']).toBe('The model gave no number for "従業員数"');
  });

  test.each<[string, object, string]>([
    ['none', { outputs: undefined }, 'outputs'],
    [
      'two of one name',
      { outputs: [...outputs, { ...outputs[0], name: ' fit ' }] },
      'outputs.4.name',
    ],
    [
      'one named as a mark of every row',
      { outputs: [{ ...outputs[0], name: 'row_error' }] },
      'outputs.0.name',
    ],
    [
      '21',
      { outputs: Array.from({ length: 21 }, (_, i) => ({ ...outputs[3], name: `${i}` })) },
      'outputs',
    ],
    ['a name of two lines', { outputs: [{ ...outputs[0], name: 'a\nb' }] }, 'outputs.0.name'],
    ['another processor', { processor: 'research_email' }, 'outputs'],
  ])('%s is refused when the job is created', async (_, settings, field) => {
    const { token } = await rig.user(someone());
    const body = { filename: 'a.csv', processor: 'columns', outputs, ...settings };
    const answer = await rig.api('/v1/jobs', { method: 'POST', token, body });
    const { errors } = await expectProblem(answer, 422, 'invalid_request');
    expect(errors).toMatchObject([{ field }]);
  });

  test('one that meets a column of the file is refused with the file', async () => {
    const { token } = await rig.user(someone());
    const { id } = await rig.createJob(token, { processor: 'columns', outputs });
    const answer = await rig.upload(token, id, 'Firma,FIT\nMüller GmbH,good\n');
    const { reason } = await expectProblem(answer, 422, 'csv_invalid');
    expect(reason).toContain('the file has a column "Fit" already');
  });

  test('a result that is sent again has its columns replaced', async () => {
    const csv = `Firma,${added.join(',')}\nMüller GmbH,12,true,gut,Because.,ok,\n`;
    const { names, rows } = await worked(csv, {});
    expect(names).toEqual(['Firma', ...added]);
    expect(names.filter((name) => name === 'Fit')).toHaveLength(1);
    expect(rows[0]?.['row_status']).toBe('ok');
  });
});
