import { expect, test } from 'vitest';
import { previewWarnings } from '../../functions/jobs/preview-warnings.pure.ts';
import type { Brief } from '../../functions/processing/processor.ts';
import { classify } from '../../functions/processing/classify.ts';
import { researchEmail } from '../../functions/processing/research-email.ts';
import { briefOf } from '../support/rows.ts';

const header = ['Company', 'Note'];
const filled = ['Acme GmbH', 'met in May'];

/** What is said of the first rows, by a sender who is known and can pay. */
function warningsOf(
  rows: string[][],
  given: Partial<Brief> = {},
  { processor = researchEmail, staleRows = 0 } = {},
): string[] {
  const brief = briefOf(processor, header, { sender: { offer: 'power' }, ...given });
  return previewWarnings({
    job: { warnings: [], rows_duplicate: 0, skips_duplicates: false },
    brief,
    processor,
    rows,
    plans: rows.map((row) => processor.plan(brief, row)),
    staleRows,
    toWork: rows.length,
    creditsPerRow: 1,
    balance: null,
  });
}

test('of rows as they should be nothing is said', () => {
  expect(warningsOf([filled, filled])).toEqual([]);
});

test('rows that have nothing to go by are counted, and not once more as without a search', () => {
  const noted = ['N/A', 'met in May'];
  const blank = ['N/A', '-'];
  expect(warningsOf([filled, blank])).toEqual([
    'Of the first 2 rows 1 has nothing to go by: its cells are empty or placeholders such as N/A.',
  ]);
  expect(warningsOf([blank, noted, ['k.A.'], filled])).toEqual([
    'Of the first 4 rows 2 have nothing to go by: their cells are empty or placeholders such as N/A.',
    expect.stringMatching(/^Of the first 4 rows 1 has nothing to search for \(.*no company/),
  ]);
  expect(warningsOf([filled, blank], {}, { processor: classify })).toEqual([
    expect.stringMatching(/^Of the first 2 rows 1 has nothing to go by/),
  ]);
});

test('a row whose columns are not shown can still be searched for', () => {
  const given = { columns: ['Note'], options: { research: { query: '{{Company}}' } } };
  expect(warningsOf([['Acme GmbH', '']], given)).toEqual([]);
});

test('a search that names no column is told to be the same for every row', () => {
  const same = ['`research.query` names no column: the search is the same for every row.'];
  const asked = (query: string) => warningsOf([filled], { options: { research: { query } } });
  expect(asked('news of the trade')).toEqual(same);
  expect(asked('news of {{Company}}')).toEqual([]);
});

test('rows that were sampled by earlier settings keep what they have', () => {
  expect(warningsOf([filled], {}, { staleRows: 1 })).toEqual([
    '1 sampled row keeps what it has of earlier settings: sample it again to redo it.',
  ]);
  expect(warningsOf([filled], {}, { staleRows: 3 })).toEqual([
    '3 sampled rows keep what they have of earlier settings: sample them again to redo them.',
  ]);
});
