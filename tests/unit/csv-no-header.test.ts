import { readFileSync, readdirSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { readFile, utf8 } from '../support/csv.ts';

const warningsOf = async (header: string[], ...above: string[]) => {
  const lines = [...above, header.join('|'), header.map(() => 'x').join('|')];
  return (await readFile([utf8(lines.join('\n'))])).warnings;
};
const isWarned = async (header: string[]) => (await warningsOf(header)).join().includes('a row');

describe('a first line that is a row', () => {
  test.each([
    ['Jane|Doe|jane@acme.example|Acme GmbH'],
    ['jane@acme.example'],
    ['Jane Doe <jane@acme.example>|x'],
    ['Jane|Doe|Acme Inc.'],
    ['Acme, Ltd|Leeds'],
    ['Bolt AG|Zürich'],
    ['株式会社山田商店|東京都'],
    ['Jane|https://acme.example/team'],
    ['Jane|www.acme.example'],
    ['Jane|+49 30 1234567'],
    ['Sales|Jane|jane@acme.example'],
  ])('%s', async (line) => {
    expect(await warningsOf(line.split('|'))).toEqual([
      'Line 1 looks like a row, not like a header, and is not worked: put a line with the names of the columns above it.',
    ]);
  });

  test('is named by its line', async () => {
    const file = await readFile([utf8('\n\nJane,jane@acme.example\nTom,tom@acme.example\n')]);
    expect(file.warnings).toEqual([expect.stringMatching(/^Line 3 looks like a row/)]);
  });
});

describe('a header', () => {
  const sets = readFileSync('tests/corpora/header-sets.txt', 'utf8').split('\n\n');
  test('of none of those that people have is warned', async () => {
    const headers = sets.slice(1).map((set) => (set.trim().split('\n')[1] ?? '').split('|'));
    expect(headers.length).toBeGreaterThan(50);
    for (const header of headers) expect([header, await isWarned(header)]).toEqual([header, false]);
  });

  test.each(readdirSync('tests/corpora/exports').filter((name) => name.endsWith('.csv')))(
    'of %s is not warned',
    async (name) => {
      const file = await readFile([readFileSync(`tests/corpora/exports/${name}`)]).catch(
        () => null,
      );
      expect(file?.warnings.join() ?? '').not.toMatch(/looks like a row/);
    },
  );

  test.each([
    ['name|2024|2025|1'],
    ['company.name|contact.email|@id'],
    ['Email (name@example.com)|Website (https://…)'],
    ['Name|Email|Company|Acme GmbH'],
    ['E-Mail|Umsatz AG'],
    ['Including|Inc|AG|GmbH|株式会社'],
  ])('%s is one', async (line) => {
    expect(await warningsOf(line.split('|'))).toEqual([]);
  });
});
