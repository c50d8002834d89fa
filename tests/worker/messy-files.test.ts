import { readFileSync } from 'node:fs';
import { afterAll, expect, test } from 'vitest';
import { assertBooksHold } from '../support/ledger-invariants.ts';
import { someone, startRig } from '../support/worker.ts';
import { parseCsv } from '../support/worker-csv.ts';
import { expectProblem } from '../support/worker-problem.ts';

const rig = await startRig({ env: { SIGNUP_CREDITS: '20' } });

afterAll(async () => {
  await assertBooksHold(rig.database.pool);
  await rig.close();
});

const sent = (name: string): Buffer => readFileSync(`tests/corpora/exports/${name}`);

async function worked(file: Uint8Array | string) {
  const { token } = await rig.user(someone());
  const { id } = await rig.startJob(token, file);
  const job = await rig.ended(token, id);
  const [header = [], ...records] = parseCsv(await rig.output(token, id));
  return { token, job, header, records };
}

test('a thousand rows that Excel emptied cost nothing beside ten leads', async () => {
  const { job, records } = await worked(sent('excel-emptied-rows.csv'));
  expect(job).toMatchObject({
    status: 'completed',
    rows: { succeeded: 10, failed: 0 },
    credits: { held: 0, charged: 10 },
  });
  const statuses = records.map((record) => record.at(-3));
  expect(statuses.slice(0, 10)).toEqual(Array<string>(10).fill('ok'));
  expect(new Set(statuses.slice(10))).toEqual(new Set(['skipped']));
});

test("Salesforce's footer gets no mail, and a result sent again has each column once", async () => {
  const { token, job, header, records } = await worked(sent('salesforce-report.csv'));
  expect(job).toMatchObject({ rows: { succeeded: 2, skipped: 5 }, credits: { charged: 2 } });
  expect(job.warnings.join()).toMatch(/below the table/);
  const notes = records.slice(2).map((record) => record.slice(8));
  expect(notes.map((cells) => cells.slice(0, -1))).toEqual(
    notes.map(() => ['', '', '', '', 'skipped', '']),
  );
  expect(new Set(notes.map((cells) => cells.at(-1)))).toContain('below the table');
  const { id } = await rig.startJob(token, [header, ...records].map(lineOf).join('\r\n'));
  const again = await rig.ended(token, id);
  expect(again).toMatchObject({ rows: { succeeded: 2, skipped: 5 }, credits: { charged: 2 } });
  expect(parseCsv(await rig.output(token, id))[0]).toEqual(header);
});

const lineOf = (cells: string[]): string =>
  cells.map((cell) => `"${cell.replaceAll('"', '""')}"`).join(',');

test("LinkedIn's notes above the header are no lead", async () => {
  const { header, records, job } = await worked(sent('linkedin-connections.csv'));
  expect(header.slice(0, 3)).toEqual(['First Name', 'Last Name', 'URL']);
  expect(records).toHaveLength(3);
  expect(job.credits.charged).toBe(3);
});

test.each([
  ['sign-in-page.csv', /web page/],
  ['spreadsheet.xml.csv', /XML/],
  ['letter.rtf.csv', /RTF/],
  ['answer.json.csv', /JSON/],
])('%s is refused by what it is, and costs nothing', async (name, says) => {
  const { token } = await rig.user(someone());
  const { id } = await rig.createJob(token);
  const answer = await rig.api(`/v1/jobs/${id}/input`, { method: 'PUT', token, body: sent(name) });
  const problem = await expectProblem(answer, 422, 'csv_invalid');
  expect(problem).toMatchObject({ line: 1, reason: expect.stringMatching(says) });
  expect(await rig.readJob(token, id)).toMatchObject({ status: 'created', credits: { held: 0 } });
});
