import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { changeJob } from '../../functions/jobs/change-job.ts';
import { createJob, type CreateJobInput } from '../../functions/jobs/create-job.ts';
import { findRows, listRows } from '../../functions/jobs/list-rows.ts';
import { previewJob } from '../../functions/jobs/preview-job.ts';
import { sampleJob } from '../../functions/jobs/sample-job.ts';
import { startJob } from '../../functions/jobs/start-job.ts';
import { processChunk } from '../../functions/processing/process-chunk.ts';
import { JobFixture, providers } from '../support/job-fixture.ts';

let fixture: JobFixture;
beforeAll(async () => {
  fixture = await JobFixture.open();
});
afterAll(() => fixture.close());

type Of = { userId: string; jobId: string };

/** A job whose rows are stored and wait for credits, unless there are some. */
async function stored(
  text: string,
  { credits = 0, ...given }: Partial<CreateJobInput> & { credits?: number } = {},
): Promise<Of> {
  const userId = await fixture.newUser(credits);
  const { job } = await createJob(fixture.ctx, { userId, filename: 'leads.csv', ...given });
  fixture.published = [];
  const sent = fixture.upload(userId, job.id, text);
  if (credits === 0) await expect(sent).rejects.toMatchObject({ code: 'insufficient_credits' });
  else await sent;
  return { userId, jobId: job.id };
}

const work = async (failing: string[] = []): Promise<void> => {
  for (const message of fixture.messages())
    await processChunk(fixture.ctx, message, providers(failing));
};

const preview = (of: Of) => previewJob(fixture.ctx, of);
const page = (of: Of, filter: Partial<Parameters<typeof findRows>[1]> = {}) =>
  findRows(fixture.ctx, { ...of, from: 0, limit: 50, ...filter });

/** All that shows rows. */
const asks = (of: Of) => [
  () => preview(of),
  () => page(of),
  () => listRows(fixture.ctx, { ...of, indices: [0] }),
];

const setProfile = (of: Of, sender: Record<string, string>) =>
  fixture.query('insert into user_profiles (user_id, sender) values ($1, $2)', [
    of.userId,
    JSON.stringify(sender),
  ]);

/** Rows by their place in the file, from 0, and the number of the one that they are the same as, from 1. */
const duplicatesOf = ({ jobId }: Of) =>
  fixture.query<{ row: number; same: number }>(
    `select first_row + (d ->> 0)::int as row, (d ->> 1)::int as same
      from job_chunks, json_array_elements(duplicates) d where job_id = $1 order by 1`,
    [jobId],
  );

describe('exact duplicates', () => {
  const text =
    'name,city\nlead 1,Bonn\n,\nlead 2,Bonn\nlead 1,Bonn\nlead 1,bonn\nlead 2,Bonn,\nlead 1,Bonn\n';

  test('are counted and told by the number of the first one, rows without content included', async () => {
    const of = await stored(text);
    expect(await duplicatesOf(of)).toEqual([
      { row: 3, same: 1 },
      { row: 5, same: 3 },
      { row: 6, same: 1 },
    ]);
    const seen = await preview(of);
    expect(seen).toMatchObject({ rowsTotal: 7, emptyRows: 1, duplicateRows: 3 });
    expect(seen.cost).toEqual({ credits: 6, balance: 0 });
    expect(seen.warnings.join()).toMatch(/3 rows are the same as an earlier one.*"skip"/);
    expect((await page(of)).items.map(({ status }) => status)).toEqual([
      'pending',
      'skipped',
      ...Array<string>(5).fill('pending'),
    ]);
  });

  test('cost nothing where they are skipped, and say which row they are the same as', async () => {
    const of = await stored(text, { options: { duplicates: 'skip' } });
    expect((await preview(of)).cost.credits).toBe(3);
    const { items } = await page(of, { status: 'skipped' });
    expect(items.map(({ index, note }) => [index, note])).toEqual([
      [1, 'empty row'],
      [3, 'same as row 1'],
      [5, 'same as row 3'],
      [6, 'same as row 1'],
    ]);
  });

  test('over many chunks and batches each is told, and no other row', async () => {
    const rows = Array.from({ length: 450 }, (_, i) => `lead ${i % 300},"Bonn\n${i % 300}"\n`);
    const of = await stored(`name,city\n${rows.join('')}`);
    expect(await duplicatesOf(of)).toEqual(
      Array.from({ length: 150 }, (_, i) => ({ row: 300 + i, same: i + 1 })),
    );
  });
});

describe('the preview', () => {
  test('shows how the file was read, its first rows and what the model will get', async () => {
    const rows = Array.from({ length: 60 }, (_, i) => `Firma ${i};Köln;${'x'.repeat(3000)}\n`);
    const of = await stored(`Firma;Ort;Ort\n;;\n${rows.join('')}`, {
      prompt: 'Write to {{Firma}} in {{Ort}}.',
    });
    await setProfile(of, { name: 'Mina Roth', offer: 'cheaper power' });
    const seen = await preview(of);
    expect(seen).toMatchObject({
      encoding: 'UTF-8',
      delimiter: ';',
      header: ['Firma', 'Ort', 'Ort_2'],
      rowsTotal: 61,
      emptyRows: 1,
      duplicateRows: 0,
      cost: { credits: 60, balance: 0 },
    });
    expect(seen.rows).toEqual(
      Array.from({ length: 10 }, (_, i) => [`Firma ${i}`, 'Köln', 'x'.repeat(2000)]),
    );
    expect(seen.research.queries).toHaveLength(10);
    expect(seen.research.queries[3]).toContain('Firma 3');
    expect(seen.prompt.replaceAll(/<\/?cell>/g, '')).toMatch(
      /Write to Firma 0 in Köln\.[^]*a search for "[^"]*Firma 0/,
    );
    expect(seen.warnings).toEqual(['The balance of 0 credits covers 0 of 60 rows.']);
  });

  test('warns where the mails would have no sender, and of columns named like ours', async () => {
    const of = await stored('email_body,company\nDear,Acme\n', { prompt: 'Be brief.' });
    const { warnings } = await preview(of);
    expect(warnings.join('\n')).toMatch(
      /no sender profile[^]*names no column[^]*named like those of a result[^]*: email_body/,
    );
    const own = await stored('company\nAcme\n', { options: { sender: { offer: 'power' } } });
    expect((await preview(own)).warnings.join()).not.toMatch(/sender/);
    const classified = await stored('company\nAcme\n', { processor: 'classify' });
    const seen = await preview(classified);
    expect(seen.warnings.join()).not.toMatch(/sender|search/);
    expect(seen.research).toEqual({ columns: [], queries: [null] });
  });

  test('counts what is left to work, and shows the first of it', async () => {
    const of = await stored('name\nlead 1\nlead 2\nlead 3\n', { credits: 3 });
    expect((await preview(of)).cost).toEqual({ credits: 0, balance: 0 });
    await work(['lead 2']);
    const seen = await preview(of);
    expect(seen.cost.credits).toBe(1);
    expect(seen.prompt).toMatch(/lead 2/);
  });

  test('warns that sampled rows keep what they have, until they are sampled again', async () => {
    const options = { start: 'manual', sender: { offer: 'power' } } as const;
    const of = await stored('company\nlead 1\nlead 2\nlead 3\n', { credits: 20, options });
    const sample = (rows: number) => sampleJob(fixture.ctx, { ...of, rows }, providers());
    const stale = async () => (await preview(of)).warnings.filter((one) => /earlier/.test(one));
    await sample(2);
    expect(await stale()).toEqual([]);
    await changeJob(fixture.ctx, { ...of, change: { prompt: 'Be brief to {{company}}.' } });
    expect(await stale()).toEqual([expect.stringMatching(/^2 sampled rows keep .* earlier/)]);
    await sample(1);
    expect(await stale()).toEqual([expect.stringMatching(/^1 sampled row keeps .* earlier/)]);
    await sample(2);
    expect(await stale()).toEqual([]);
    await setProfile(of, { name: 'Mina Roth' });
    expect(await stale()).toEqual([expect.stringMatching(/^2 sampled rows keep .* earlier/)]);
    fixture.published = [];
    await startJob(fixture.ctx, of);
    await work();
    expect(await stale()).toEqual([]);
  });

  test('of an unlimited plan costs nothing', async () => {
    const userId = await fixture.newUser(0);
    await fixture.goUnlimited(userId);
    const made = await createJob(fixture.ctx, { userId, filename: 'a.csv' });
    await fixture.upload(userId, made.job.id, 'name\nlead 1\n');
    await work(['lead 1']);
    const { cost, warnings } = await preview({ userId, jobId: made.job.id });
    expect(cost).toEqual({ credits: 0, balance: 0, unlimited: true });
    expect(warnings.join()).not.toMatch(/balance/);
  });

  test('without a file there is none, after its purge neither', async () => {
    const userId = await fixture.newUser(0);
    const { job } = await createJob(fixture.ctx, { userId, filename: 'leads.csv' });
    const of = { userId, jobId: job.id };
    for (const ask of asks(of)) await expect(ask()).rejects.toMatchObject({ code: 'no_input' });
    const gone = await stored('name\nlead 1\n');
    await fixture.query('update jobs set header = null, purged_at = now() where id = $1', [
      gone.jobId,
    ]);
    for (const ask of asks(gone))
      await expect(ask()).rejects.toMatchObject({ code: 'rows_expired' });
  });

  test.each([';', '\t', '|', ','])('names the delimiter %j', async (delimiter) => {
    const of = await stored(['a', 'b'].join(delimiter) + '\n' + ['1', '2'].join(delimiter) + '\n');
    expect((await preview(of)).delimiter).toBe(delimiter);
  });

  test('of one column there is no delimiter', async () => {
    expect((await preview(await stored('name\nlead 1\n'))).delimiter).toBe('');
  });
});

test('notes stand in the result, and none of them runs in a spreadsheet', async () => {
  const of = await stored('name\nlead 1\nlead 2\n', { credits: 2 });
  await work(['lead 2']);
  await fixture.query(`update job_chunks set results = $2 where job_id = $1`, [
    of.jobId,
    JSON.stringify([
      { status: 'ok', cells: ['s', '', '', 'Dear'], note: '=1+1' },
      { status: 'error', error: 'No; =cmd(1)', run: 1 },
    ]),
  ]);
  expect((await fixture.output(of.userId, of.jobId)).slice(1)).toEqual([
    "lead 1,s,,,Dear,ok,,'=1+1",
    `lead 2,,,,,error,"No; '=cmd(1)",`,
  ]);
});

describe('the rows of a job', () => {
  test('come in pages, each once, with what came of them', async () => {
    const rows = Array.from({ length: 130 }, (_, i) => `lead ${i},Bonn\n`);
    const of = await stored(`name,city\n${rows.join('')}`, { credits: 200 });
    await work(['lead 7', 'lead 99']);
    const indices: number[] = [];
    let from = 0;
    for (;;) {
      const { items, nextCursor } = await page(of, { from, limit: 40 });
      indices.push(...items.map(({ index }) => index));
      if (nextCursor === null) break;
      from = Number(nextCursor);
    }
    expect(indices).toEqual(rows.map((_, i) => i));
    const errors = await page(of, { status: 'error' });
    expect(errors).toEqual({
      items: [7, 99].map((index) => ({
        index,
        status: 'error',
        note: null,
        error: 'Search answered 400',
        input: { name: `lead ${index}`, city: 'Bonn' },
        output: null,
      })),
      nextCursor: null,
    });
    const [item] = (await page(of, { status: 'ok', from: 8, limit: 1 })).items;
    expect(item).toMatchObject({ index: 8, status: 'ok', error: null });
    expect(Object.keys(item?.output ?? {})).toEqual([
      'research_summary',
      'research_sources',
      'email_subject',
      'email_body',
    ]);
    expect(item?.output?.['email_body']).toContain('Dear lead 8');
  });

  test('are found by a text in any cell, whatever its case, of results too', async () => {
    const of = await stored('Name,__proto__\nÄRZTE 1,x\nlead 2,Straße\nlead 3,\n', { credits: 9 });
    await work();
    const found = async (q: string) => (await page(of, { q })).items.map(({ index }) => index);
    expect(await found('ärzte')).toEqual([0]);
    expect(await found('STRAßE')).toEqual([1]);
    expect(await found('ABOUT LEAD 3')).toEqual([2]);
    expect(await found('%')).toEqual([]);
    const [first] = (await page(of, { limit: 1 })).items;
    expect(JSON.stringify(first?.input)).toBe('{"Name":"ÄRZTE 1","__proto__":"x"}');
  });

  test('of a running job are pending or done; of a cancelled one none is pending', async () => {
    const rows = Array.from({ length: 18 }, (_, i) => `lead ${i}\n`);
    const of = await stored(`name\n${rows.join('')}`, { credits: 50 });
    const [first] = fixture.messages();
    if (first) await processChunk(fixture.ctx, first, providers());
    const statuses = async () => {
      const { items } = await page(of);
      return Object.entries(Object.groupBy(items, ({ status }) => status)).map(
        ([status, { length }]) => [status, length],
      );
    };
    expect(await statuses()).toEqual([
      ['ok', 6],
      ['pending', 12],
    ]);
    expect((await page(of, { status: 'pending', limit: 5 })).nextCursor).toBe('11');
    await fixture.query("update jobs set status = 'cancelled' where id = $1", [of.jobId]);
    expect(await statuses()).toEqual([
      ['ok', 6],
      ['error', 12],
    ]);
    await fixture.query("update jobs set status = 'running' where id = $1", [of.jobId]);
  });

  test('so many are looked at for a page; the next one goes on', async () => {
    const rows = Array.from({ length: 450 }, (_, i) => `lead ${i},${'y'.repeat(90_000)}\n`);
    const of = await stored(`name,city\n${rows.join('')}`);
    const seen: number[] = [];
    let [from, pages] = [0, 0];
    for (; pages < 50; pages += 1) {
      const { items, nextCursor } = await page(of, { from, q: 'lead 449', limit: 10 });
      seen.push(...items.map(({ index }) => index));
      if (nextCursor === null) break;
      expect(Number(nextCursor)).toBeGreaterThan(from);
      from = Number(nextCursor);
    }
    expect(seen).toEqual([449]);
    const { items } = await page(of, { limit: 100 });
    expect(JSON.stringify(items).length).toBeLessThan(2_500_000);
    expect(items.length).toBeGreaterThan(10);
  });

  test('are asked for by number, in order, those that there are', async () => {
    const of = await stored('name\nlead 1\nlead 2\nlead 3\n');
    const items = await listRows(fixture.ctx, { ...of, indices: [2, 0, 99] });
    expect(items.map(({ index, input }) => [index, input])).toEqual([
      [0, { name: 'lead 1' }],
      [2, { name: 'lead 3' }],
    ]);
    const stranger = await fixture.newUser();
    const theirs = { userId: stranger, jobId: of.jobId };
    for (const ask of asks(theirs))
      await expect(ask()).rejects.toMatchObject({ code: 'not_found' });
  });
});
