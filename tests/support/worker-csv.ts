/**
 * Reads RFC 4180: comma, CRLF, quotes doubled inside quotes, nothing else. Written apart from the
 * product's reader and writer, so that both cannot be wrong in the same way.
 * @throws Error where the text is not what the RFC allows.
 */
export function parseCsv(text: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  let at = 0;
  while (at < text.length) {
    let cell = '';
    if (text[at] === '"') {
      for (at += 1; ; at += 1) {
        if (at >= text.length) throw new Error('A quote is never closed.');
        if (text[at] !== '"') cell += text[at];
        else if (text[at + 1] === '"') {
          cell += '"';
          at += 1;
        } else break;
      }
      at += 1;
    } else {
      const bare = /[^,"\r\n]*/y;
      bare.lastIndex = at;
      cell = bare.exec(text)?.[0] ?? '';
      at += cell.length;
    }
    row.push(cell);
    if (text[at] === ',') {
      at += 1;
      if (at === text.length) throw new Error('The file ends in a comma.');
    } else if (text.startsWith('\r\n', at)) {
      rows.push(row);
      row = [];
      at += 2;
    } else
      throw new Error(
        `Neither a comma nor CRLF at ${at}: ${JSON.stringify(text.slice(at, at + 20))}`,
      );
  }
  if (row.length > 0) throw new Error('The last record has no line end.');
  return rows;
}

const quoted = (cell: string): string =>
  /[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;

/** Rows as a CSV with LF, quoted only where it must be. */
export const toCsv = (rows: readonly (readonly string[])[]): string =>
  rows.map((row) => `${row.map(quoted).join(',')}\n`).join('');

/** A plain file of `rows` companies; every row differs. */
export const companies = (rows: number, name = 'Company'): string =>
  toCsv([
    ['company', 'city'],
    ...Array.from({ length: rows }, (_, i) => [`${name} ${i}`, `City, ${i}`]),
  ]);
