import { describe, expect, test } from 'vitest';
import { csvRefusal, cutBytes, readFile, utf8 } from '../support/csv.ts';

/** Rows that a file has besides: of so many a few may be malformed. */
const others = 300;

const readCut = async (text: string, size: number, end = '\n') => {
  const file = await readFile(cutBytes(utf8(`${text}${end}${`8,9${end}`.repeat(others)}`), size));
  return { ...file, rows: file.rows.slice(0, -others) };
};
const read = (text: string, end?: string) => readCut(text, 65_536, end);

const warning = (line: number): string => `Line ${line}: a quote inside a cell was read as text.`;

describe('a malformed quote refuses no file that a spreadsheet reads', () => {
  test.each<[string, string, string[]]>([
    ['inside a quoted cell', '"12" pipe",x', ['12" pipe', 'x']],
    ['behind a quoted cell', '"12" pipe,x', ['"12" pipe', 'x']],
    ['that never closes', 'x,"12', ['x', '"12']],
    ['that never closes, before another cell', '"12,x', ['"12', 'x']],
    ['beside doubled ones', '"a ""b"" c" d","""x"""', ['a "b" c" d', '"x"']],
    ['twice', '"a" b,"c" d', ['"a" b', '"c" d']],
    ['in a cell that never closes, beside quoted ones', '"x,"1"" y"', ['"x', '1" y']],
    ['beside a quoted delimiter', '"a" b","c, d"', ['a" b', 'c, d']],
  ])('%s', async (_, line, cells) => {
    for (const end of ['\n', '\r\n', '\r']) {
      const text = ['a,b', '1,2', '', line, '"3","x, y"', '4,5'].join(end);
      const file = await read(text, end);
      expect(file.rows).toEqual([['1', '2'], cells, ['3', 'x, y'], ['4', '5']]);
      expect(file.warnings).toEqual([warning(4)]);
      expect(await readCut(text, 1, end)).toEqual(file);
    }
  });

  test.each([
    ['the header', '"na" me,city\nJane,Rome\nBob,Bonn\n', 1],
    ['the last line', 'name,city\nJane,Rome\n"Bob" y,Bonn', 3],
    ['two that belong together', 'name,city\n"Jane" y,Rome\n"Bob" x,"Bonn"\n', 2],
  ])('in %s', async (_, text, line) => {
    const { header, rows, warnings } = await read(text);
    expect([header.length, rows.length]).toEqual([2, 2]);
    expect(warnings[0]).toBe(warning(line));
  });

  test('one without an end among 60,000 rows takes its own line alone, wherever it is cut', async () => {
    const plain = Array.from({ length: 60_000 }, (_, i) => `${i},${'x'.repeat(30)}`);
    for (const at of [3, 30_000, 59_999]) {
      const lines = plain.with(at, `${at},"12`);
      const bytes = utf8(`id,note\r\n${lines.join('\r\n')}\r\n`);
      const file = await readFile(cutBytes(bytes, 65_536));
      expect(file.rows).toEqual(lines.map((line) => line.split(',')));
      expect(file.warnings).toEqual([warning(at + 2)]);
      expect(await readFile([bytes])).toEqual(file);
    }
  });

  test('1,000 lines are read so, not more, and 13 are named', async () => {
    const lines = (count: number) =>
      `a,b\n${'"1" x,2\n3,4\n'.repeat(count)}${'5,6\n'.repeat(100_000)}`;
    const { rows, warnings } = await readFile([utf8(lines(1000))]);
    expect(rows).toHaveLength(102_000);
    expect(warnings).toHaveLength(14);
    expect(warnings[12]).toBe(warning(26));
    expect(warnings[13]).toMatch(/and 987 more lines/);
    expect(await csvRefusal([utf8(lines(1001))])).toEqual({
      line: 2002,
      reason: expect.stringMatching(/Double the quotes/),
    });
  });

  test.each([99, 100])(
    'one in a file of %i rows: refused below a hundred, by its line',
    async (count) => {
      const text = `a,b\n1,2\n"3" x,4\n${'5,6\n'.repeat(count - 2)}`;
      if (count >= 20) expect((await readFile([utf8(text)])).rows).toHaveLength(count);
      else
        expect(await csvRefusal([utf8(text)])).toEqual({
          line: 3,
          reason: expect.stringMatching(/Double the quotes inside a quoted cell/),
        });
    },
  );

  test('a line that has another number of cells then is refused, in words people use', async () => {
    expect(await csvRefusal([utf8('a,b\n1,2\n"3" x,"4" y,5\n')])).toEqual({
      line: 3,
      reason: 'Text follows the closing quote of a cell. Double the quotes inside a quoted cell.',
    });
  });

  test('a row of a megabyte whose quotes are right is too long, and nothing else', async () => {
    const { reason } = await csvRefusal([utf8(`a,b\n"${'x'.repeat(1_100_000)}",2\n`)]);
    expect(reason).toMatch(/longer than 1048576 characters/);
  });

  test('a line of quotes that nothing closes takes no time with their square', async () => {
    const line = '"a,'.repeat(300_000);
    expect(await csvRefusal([utf8(`a,b\n1,2\n${line}\n3,4\n`)])).toMatchObject({ line: 3 });
  });
});
