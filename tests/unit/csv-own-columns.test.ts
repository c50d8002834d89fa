import { describe, expect, test } from 'vitest';
import { decode } from '../../functions/csv/decode.pure.ts';
import { dropOwnColumns } from '../../functions/csv/own-columns.pure.ts';
import { readRows } from '../../functions/csv/read-rows.pure.ts';
import { utf8 } from '../support/csv.ts';

/** What is left of a file for a job whose processor gives these columns. */
async function dropped(text: string, outputColumns: string[] = []) {
  const rows: string[][] = [];
  const skips: Record<number, string> = {};
  const last = { header: [''], warnings: [''] };
  const bytes = (async function* () {
    yield utf8(text.slice(0, 70_000));
    yield utf8(text.slice(70_000));
  })();
  for await (const batch of dropOwnColumns(readRows(decode(bytes)), outputColumns)) {
    for (const [index, note] of batch.skips) skips[rows.length + index] = note;
    rows.push(...batch.rows);
    Object.assign(last, { header: batch.header, warnings: batch.warnings });
  }
  return { ...last, rows, skips };
}

test('a result that is sent again has its own columns taken out', async () => {
  const text =
    'name,city,research_summary,Email_Body, row_status ,row_error,row_note\n' +
    'Jane,Rome,"found, much",Dear,ok,,\nBob,Bonn,,,error,away\nCy\n';
  expect(await dropped(text, ['research_summary', 'email_body'])).toEqual({
    header: ['name', 'city'],
    rows: [['Jane', 'Rome'], ['Bob', 'Bonn'], ['Cy']],
    skips: {},
    warnings: [
      'The columns of an earlier result (research_summary, Email_Body, row_status, row_error, row_note) are replaced.',
    ],
  });
});

test('columns of the job are ours only behind the name of the user', async () => {
  const text = 'reason,name,category,reason,row_status,row_error\nwhy,Jane,a,since,ok,\n';
  expect(await dropped(text, ['category', 'reason'])).toMatchObject({
    header: ['reason', 'name'],
    rows: [['why', 'Jane']],
  });
  expect(await dropped(text)).toMatchObject({ header: ['reason', 'name', 'category', 'reason'] });
});

describe('columns of the user stay, whatever their names', () => {
  const research = ['research_summary', 'email_body'];
  const result = [...research, 'row_status', 'row_error'];
  test.each<[string, string[], string[]]>([
    ['of another processor', ['company', 'category'], ['category', 'reason']],
    ['that a later result will have', ['company', 'email_subject'], research],
    ['that this result has too', ['company', 'email_body'], research],
    ['that this result has first', ['company', 'research_summary'], research],
    ['that stand apart', ['email_body', 'company', 'row_note'], research],
  ])('%s', async (_, header, outputs) => {
    const text = `${[...header, ...result].join(',')}\n${header.join(',')},x,y,ok,\n`;
    expect(await dropped(text, outputs)).toMatchObject({ header, rows: [header] });
  });

  test('of which one output of the job is there, and others are not', async () => {
    const text = 'name,size,row_status,row_error,row_note\nJane,9,ok,,\n';
    expect(await dropped(text, ['city', 'sector', 'age'])).toMatchObject({
      header: ['name', 'size'],
    });
  });

  test('between the marks', async () => {
    const header = ['name', 'row_status', 'city', 'row_error'];
    expect(await dropped(`${header.join(',')}\nJane,ok,Rome,x\n`)).toMatchObject({ header });
  });

  test('and those of a longer result of ours go', async () => {
    const text =
      'name,research_summary,research_sources,email_subject,email_body,row_status,row_error,row_note\nJane,a,b,c,d,ok,,\n';
    expect(await dropped(text, research)).toMatchObject({ header: ['name'], rows: [['Jane']] });
  });
});

test('outputs of a user’s own are replaced in whatever order they are asked for', async () => {
  const text = 'name,Size,city,Sector,row_status,row_error,row_note\nJane,9,Rome,IT,ok,,\n';
  expect(await dropped(text, ['sector', 'size', 'city'])).toMatchObject({
    header: ['name'],
    rows: [['Jane']],
  });
});

describe('what an earlier result has added for other questions', () => {
  const text = 'name,size,staff,row_status,row_error,row_note\nJane,9,2,ok,,\n';

  test('stays, since jobs build on each other, and the user is told', async () => {
    expect(await dropped(text, ['research_summary', 'email_body'])).toEqual({
      header: ['name', 'size', 'staff'],
      rows: [['Jane', '9', '2']],
      skips: {},
      warnings: [
        'The columns of an earlier result (row_status, row_error, row_note) are replaced. Others of it, such as perhaps "staff", are kept: the model sees them unless `columns` leaves them out.',
      ],
    });
  });

  test('stays where it stands between those of this job: it may be the user’s', async () => {
    expect((await dropped(text, ['size', 'city'])).header).toEqual(['name', 'size', 'staff']);
    expect((await dropped(text, ['staff'])).header).toEqual(['name', 'size']);
  });

  test('is nothing in a file of the marks alone', async () => {
    const { warnings } = await dropped('row_status,row_error,name\nok,,Jane\n');
    expect(warnings).toEqual([
      'The columns of an earlier result (row_status, row_error) are replaced.',
    ]);
  });
});

test('with one of the two names alone the columns are the user’s', async () => {
  for (const name of ['row_status', 'row_error', 'row_note']) {
    const text = `name,email_body,${name}\nJane,Dear,x\n`;
    expect(await dropped(text, ['email_body'])).toEqual({
      header: ['name', 'email_body', name],
      rows: [['Jane', 'Dear', 'x']],
      skips: {},
      warnings: [],
    });
  }
});

describe('rows that were skipped', () => {
  const header = 'name,city,row_status,row_error,row_note\n';

  test('are skipped again where they are none: without content, or below the table', async () => {
    const text =
      `${header}Jane,Rome,ok,,\n,,skipped,,empty row\n` +
      'Example Ltd,,Skipped,, Below the table \n';
    expect(await dropped(text)).toMatchObject({
      rows: [['Jane', 'Rome'], [], ['Example Ltd', '']],
      skips: { 1: 'empty row', 2: 'below the table' },
    });
  });

  test('are rows where that is no longer true, or is to be found anew', async () => {
    const text =
      `${header}Bob,Bonn,skipped,,same as row 1\nCy,Köln,skipped,,empty row\n` +
      'Di,Graz,skipped,,\nEve,Wien,skipped,,not now\n';
    expect((await dropped(text)).skips).toEqual({});
  });

  test('without their note are skipped again only where they can be lines of a footer', async () => {
    const text =
      'name,city,row_status,row_error\nJane,Rome,ok,\nBob,Bonn,skipped,\nExample Ltd,,skipped,\n' +
      'Total:,12,skipped,\n';
    expect((await dropped(text)).skips).toEqual({ 2: 'below the table', 3: 'below the table' });
    expect((await dropped('name,row_status,row_error\nBob,skipped,\n')).skips).toEqual({});
  });
});

test('columns that long rows add keep their names, whenever they come', async () => {
  const rows = `Jane,ok,,Rome\n`.repeat(9000);
  const { header, rows: left } = await dropped(`name,row_status,row_error\n${rows}A,ok,,B,C\n`);
  expect(header).toEqual(['name', 'column_4', 'column_5']);
  expect([left[0], left.at(-1)]).toEqual([
    ['Jane', 'Rome'],
    ['A', 'B', 'C'],
  ]);
});
