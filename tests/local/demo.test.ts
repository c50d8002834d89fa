import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Papa from 'papaparse';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { compare, type Table } from '../../local/demo/csv.ts';
import { choose } from '../../local/demo/shop.ts';
import { type Command, command, root, runFolders } from './children.ts';

const folder = mkdtempSync(join(tmpdir(), 'rowloom-test-'));
const out = join(folder, 'results.csv');
let told: Command;
let refused: Command;
let waiting: Command;

// All at once: most of their time is the start of a stack.
beforeAll(() => {
  const csv = join(folder, 'broken.csv');
  writeFileSync(csv, 'name,city\nAda,London\nGrace,"New York\n');
  told = command('local/demo.ts', ['--rows', '20', '--latency', '5', '--out', out, '--json']);
  const short = ['--rows', '60', '--latency', '100', '--outage', '4', '--json'];
  waiting = command('local/demo.ts', [...short, '--out', join(folder, 'late.csv')]);
  refused = command('local/demo.ts', ['--csv', csv, '--out', join(folder, 'none.csv')]);
});
afterAll(() => rmSync(folder, { recursive: true }));

const rowsOf = (file: string): string[][] =>
  Papa.parse<string[]>(readFileSync(file, 'utf8'), { skipEmptyLines: true }).data;

it(
  'tells the whole story in JSON, plainly, with every row in its place',
  { timeout: 60_000 },
  async () => {
    const demo = told;
    const code = await demo.exit;
    expect(code, demo.stderr()).toBe(0);
    const result = JSON.parse(demo.stdout().trim().split('\n').at(-1) ?? '') as Record<
      string,
      number
    >;
    expect(result).toMatchObject({ rows: 20, out });
    expect((result['succeeded'] ?? 0) + (result['failed'] ?? 0)).toBe(20);
    expect((result['creditsBefore'] ?? 0) - (result['creditsAfter'] ?? 0)).toBe(
      result['succeeded'],
    );
    expect(result['seconds']).toBeGreaterThan(0);
    const input = rowsOf(join(root, 'data/sp500.csv')).slice(0, 21);
    const output = rowsOf(out);
    expect(output.map((row) => row.slice(0, 8))).toEqual(input);
    expect(output[0]?.slice(8)).toEqual(
      'research_summary research_sources email_subject email_body row_status row_error row_note'.split(
        ' ',
      ),
    );
    // oxlint-disable-next-line no-control-regex -- that there are none is the point
    expect(demo.stderr()).not.toMatch(/\u001B|\r/);
    expect(demo.stderr()).toContain('webhooks again');
    if (process.platform === 'linux') expect(runFolders(demo.pid)).toEqual([]);
  },
);

it(
  'says why it waits while the model is away, and works every row',
  { timeout: 60_000 },
  async () => {
    const code = await waiting.exit;
    expect(code, waiting.stderr()).toBe(0);
    const told = waiting.stderr();
    expect(told).toContain('From now on the model is away for 4 s');
    expect(told).toMatch(/% · \d+\/60 rows · the model does not answer; waiting/);
    const result = JSON.parse(waiting.stdout().trim().split('\n').at(-1) ?? '') as object;
    expect(result).toMatchObject({ rows: 60, succeeded: 60, failed: 0 });
  },
);

it("tells the API's reason for a CSV that it refuses, with 1 and nothing left running", async () => {
  expect(await refused.exit, refused.stderr()).toBe(1);
  expect(refused.stdout()).toContain('Bought the plan');
  expect(refused.stdout()).toMatch(/422 .*line 3/);
  if (process.platform === 'linux') expect(runFolders(refused.pid)).toEqual([]);
});

it('refuses unknown flags and malformed numbers with 2', async () => {
  const demos = [
    ['--rowz', '3'],
    ['--rows', '-3'],
    ['--latency', 'x'],
    ['--outage', '0'],
    ['--csv', 'nowhere.csv'],
  ];
  const codes = await Promise.all(demos.map((args) => command('local/demo.ts', args).exit));
  expect(codes).toEqual([2, 2, 2, 2, 2]);
});

it('buys the smallest plan that covers the rows, then packs, and says what is missing', () => {
  const offer = { name: '', currency: 'usd', interval: 'month' };
  const plan = (key: string, credits: number | 'unlimited', amount: number) =>
    ({ ...offer, key, credits, amount }) as const;
  const plans = [plan('big', 10_000, 90), plan('small', 1_000, 10), plan('all', 'unlimited', 900)];
  const packs = [
    { ...offer, key: 'crate', credits: 5_000, amount: 30 },
    { ...offer, key: 'pack', credits: 500, amount: 5 },
  ];
  expect(choose(1_000, plans, packs)).toEqual({ plan: plans[1], quantity: 0 });
  expect(choose(1_001, plans, packs)).toEqual({ plan: plans[0], quantity: 0 });
  expect(choose(10_501, plans, packs)).toEqual({ plan: plans[0], pack: packs[1], quantity: 2 });
  expect(choose(13_501, plans, packs)).toEqual({ plan: plans[0], pack: packs[0], quantity: 1 });
  expect(() => choose(10_501, plans, [])).toThrow('501 credits are missing');
});

it('notices a row that is lost, moved or changed', () => {
  const table = (header: string, ...rows: string[]): Table => ({
    header: header.split(','),
    rows: rows.map((row) => row.split(',')),
    delimiter: ',',
  });
  const input = table('a,b', '1,=2', '3,4');
  const wanted =
    'a,b,research_summary,research_sources,email_subject,email_body,row_status,row_error,row_note';
  expect(compare(input, table(wanted, "1,'=2,r,e,ok,", '3,4,r,e,ok,'))).toEqual([]);
  expect(compare(input, table(wanted, '1,=2,r,e,ok,', '3,5,r,e,ok,'))).toHaveLength(1);
  expect(compare(input, table(wanted, '3,4,r,e,ok,', '1,=2,r,e,ok,'))).toHaveLength(2);
  expect(compare(input, table(wanted, '1,=2,r,e,ok,'))[0]).toContain('1 rows came out');
  expect(compare(input, table('a,b', '1,=2', '3,4'))[0]).toContain('columns');
});
