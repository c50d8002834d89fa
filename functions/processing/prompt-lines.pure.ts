import { oneLine, withoutTags } from '../shared/text.pure.ts';

const longestName = 80;
const longestCell = 500;

/** A cell as it may stand in a prompt: one short line that cannot open or close a section. */
export const dataLine = (cell: string, longest = longestCell): string =>
  withoutTags(oneLine(cell, longest));

/** A row as `column: value` lines, empty cells left out, as many as fit into `longest` characters. */
export function promptLines(
  header: readonly string[],
  row: readonly string[],
  longest = Infinity,
): string {
  let lines = '';
  for (const [i, name] of header.entries()) {
    const value = dataLine(row[i] ?? '');
    if (value === '') continue;
    const line = `${lines === '' ? '' : '\n'}${dataLine(name, longestName)}: ${value}`;
    if (lines.length + line.length > longest) break;
    lines += line;
  }
  return lines;
}
