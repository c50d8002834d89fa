import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import spectrum from 'csv-spectrum';
import { describe, expect, test } from 'vitest';
import { DomainError } from '../../functions/errors.ts';
import { csvRefusal, readTable, utf8 } from '../support/csv.ts';

describe('exports as people have them', () => {
  type Export = {
    file: string;
    source: string;
    columns: number;
    rows: number;
    skipped?: number;
    header?: string[];
    last: string[];
    /** A legacy encoding: to be asked for is right too, another text never. */
    orAsked?: boolean;
    refused?: string;
  };
  const exports = JSON.parse(readFileSync('tests/corpora/exports.json', 'utf8')) as Export[];

  test.each(exports)('$file ($source)', async (expected) => {
    const bytes = readFileSync(`tests/corpora/exports/${expected.file}`);
    if (expected.refused !== undefined) {
      const { line, reason } = await csvRefusal([bytes]);
      expect(line).toBe(1);
      expect(reason).toContain(expected.refused);
      return;
    }
    const table = await readTable(bytes).catch((error: unknown) => {
      const isAsked = error instanceof DomainError && error.code === 'encoding_unknown';
      if (isAsked && expected.orAsked) return undefined;
      throw error;
    });
    if (!table) return;
    expect(table.header).toHaveLength(expected.columns);
    if (expected.header) expect(table.header).toEqual(expected.header);
    expect([table.rows.length, table.skipped]).toEqual([expected.rows, expected.skipped ?? 0]);
    expect(table.rows.at(-1)).toEqual(expected.last);
  });
});

describe('csv-spectrum', async () => {
  const samples = await promisify(spectrum)();

  test('all twelve files are there', () => expect(samples).toHaveLength(12));

  test.each(samples.map(({ name, csv, json }) => ({ name, csv, json })))(
    '$name',
    async ({ csv, json }) => {
      // One sample is an object, not a list, and its JSON has another telephone number than its CSV.
      const expected = [JSON.parse(json.toString().replace('1234567890', '2095257564'))].flat();
      const { header, rows } = await readTable(csv);
      const objects = rows.map((row) =>
        Object.fromEntries(header.map((name, i) => [name, row[i]])),
      );
      expect(objects).toEqual(expected);
    },
  );
});

/** PapaParse's own cases, its licence beside them. What we read otherwise, and why. */
describe("PapaParse's cases", () => {
  type Case = { description: string; input: string; rows: string[][]; errors?: string[] };
  const { cases } = JSON.parse(readFileSync('tests/corpora/papaparse.json', 'utf8')) as {
    cases: Case[];
  };
  const otherwise = new Map<string, string[][] | 'refused'>([
    // Malformed quotes in a file so short are for its owner to mend.
    ['Quoted field has no closing quote', 'refused'],
    ['Quoted field has invalid trailing quote before delimiter', 'refused'],
    ['Quoted field has invalid trailing quote after delimiter with a valid closer', 'refused'],
    ['Quoted field has invalid trailing quote after delimiter', 'refused'],
    ['Quoted field has invalid trailing quote after new line', 'refused'],
    ['Empty input string', 'refused'],
    ['Input is just the delimiter (2 empty fields)', 'refused'],
    ['Input is just empty fields', 'refused'],
    ['Callback delimiter', [['a$ b$ c']]],
    // A row without content is not worked.
    ['Other fields are empty', [['a', '', 'c']]],
  ]);

  test.each(cases)('$description', async ({ description, input, rows }) => {
    const expected = otherwise.get(description) ?? rows;
    if (expected === 'refused') {
      expect((await csvRefusal([utf8(input)])).line).toBe(1);
      return;
    }
    const { header, rows: read } = await readTable(input);
    const [names = [], ...others] = expected;
    const width = header.length;
    expect(header.slice(0, names.length)).toEqual(names);
    expect(read).toEqual(
      others.map((row) => [...row, ...Array<string>(width - row.length).fill('')]),
    );
  });
});
