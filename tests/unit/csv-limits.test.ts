import { expect, test } from 'vitest';
import { decode } from '../../functions/csv/decode.pure.ts';
import { readRows } from '../../functions/csv/read-rows.pure.ts';
import { limitRows, maxAllRows } from '../../functions/jobs/limit-rows.pure.ts';
import { utf8 } from '../support/csv.ts';

/** How many rows a file of these pieces has. */
async function rowsOf(pieces: string[], limit: number): Promise<number> {
  let rows = 0;
  const bytes = (async function* () {
    for (const piece of pieces) yield utf8(piece);
  })();
  for await (const batch of limitRows(readRows(decode(bytes)), limit, () => undefined))
    rows += batch.rows.length;
  return rows;
}

const emptied = (count: number): string[] =>
  Array.from({ length: Math.ceil(count / 100_000) }, (_, i) =>
    ',\n'.repeat(Math.min(100_000, count - i * 100_000)),
  );

test('rows that are not worked count towards those of a worksheet alone', async () => {
  const all = (count: number): string[] => ['a,b\n1,2\n', ...emptied(count), '3,4\n'];
  expect(await rowsOf(all(maxAllRows - 2), 2)).toBe(maxAllRows);
  await expect(rowsOf(all(maxAllRows - 1), 2)).rejects.toMatchObject({
    code: 'too_large',
    extra: { limitRows: maxAllRows },
  });
  await expect(rowsOf(all(1), 1)).rejects.toMatchObject({ extra: { limitRows: 1 } });
});

test('emptied rows at the end of a worksheet do not make it too large', async () => {
  expect(await rowsOf(['a,b\n1,2\n', ...emptied(maxAllRows + 1)], 1)).toBe(1001);
});

test.each(['a,b\n', 'a,b\n,\n', 'Lead list 2024\nCompany,City,Country\n'])(
  'nothing to work below the header: %j',
  async (text) => {
    await expect(rowsOf([text], 9)).rejects.toMatchObject({
      code: 'csv_invalid',
      extra: {
        line: text.startsWith('Lead') ? 3 : 2,
        reason: 'There are no rows below the header.',
      },
    });
  },
);
