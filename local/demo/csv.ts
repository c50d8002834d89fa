import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { Readable } from 'node:stream';
import Papa from 'papaparse';

/** Text of a CSV file, by its byte order mark; without one it is UTF-8, or else Windows-1252. */
async function textOf(file: string): Promise<string> {
  const bytes = await readFile(file);
  const isUtf16 =
    (bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff);
  if (isUtf16) return new TextDecoder(bytes[0] === 0xff ? 'utf-16le' : 'utf-16be').decode(bytes);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return new TextDecoder('windows-1252').decode(bytes);
  }
}

/** A table: its header and its rows. */
export type Table = { header: string[]; rows: string[][]; delimiter: string };

/** Parses a CSV file leniently; the API is the one to judge it. */
export async function readTable(file: string, delimiter = ''): Promise<Table> {
  const parsed = Papa.parse<string[]>(await textOf(file), { skipEmptyLines: true, delimiter });
  const [header = [], ...rows] = parsed.data;
  return { header, rows, delimiter: parsed.meta.delimiter };
}

/** What the demo sends: the table it stands for, and its bytes as a stream. */
export type Input = { table: Table; stream: () => ReadableStream };

function* unparsed({ header, rows, delimiter }: Table): Generator<Buffer> {
  const encode = (part: string[][]): Buffer =>
    Buffer.from(`${Papa.unparse(part, { delimiter })}\r\n`);
  yield encode([header]);
  for (let from = 0; from < rows.length; from += 500) yield encode(rows.slice(from, from + 500));
}

/** A file as it is or, with `rows`, exactly so many rows of it, over and over if need be. */
export async function readInput(file: string, rows: number | undefined): Promise<Input> {
  const whole = await readTable(file);
  if (rows === undefined || whole.rows.length === 0)
    return { table: whole, stream: () => Readable.toWeb(createReadStream(file)) as ReadableStream };
  const chosen = Array.from({ length: rows }, (_, at) => whole.rows[at % whole.rows.length] ?? []);
  const table = { ...whole, rows: chosen };
  return { table, stream: () => Readable.toWeb(Readable.from(unparsed(table))) as ReadableStream };
}

const added = [
  'research_summary',
  'research_sources',
  'email_subject',
  'email_body',
  'row_status',
  'row_error',
  'row_note',
];

/** A cell as it went in, or with the `'` that keeps a spreadsheet from running it. */
const isIntact = (before: string, after: string): boolean =>
  after === before || (after === `'${before}` && /^\s*[=+\-@\t\r＝＋－＠]/.test(before));

/** What is wrong with a result, against its input; empty if every row and cell is in its place. */
export function compare(input: Table, output: Table): string[] {
  const width = input.rows.reduce((most, row) => Math.max(most, row.length), input.header.length);
  // Rows longer than the header give it more columns; they are named by the API.
  const wanted = [...input.header, ...output.header.slice(input.header.length, width), ...added];
  if (wanted.join('\0') !== output.header.join('\0'))
    return [`columns are ${output.header.join(', ')} instead of ${wanted.join(', ')}`];
  const columns = output.header.slice(0, width);
  const problems: string[] = [];
  if (input.rows.length !== output.rows.length)
    problems.push(`${output.rows.length} rows came out, ${input.rows.length} went in`);
  for (const [index, before] of input.rows.entries()) {
    const after = output.rows[index] ?? [];
    const column = columns.findIndex((_, at) => !isIntact(before[at] ?? '', after[at] ?? ''));
    if (column >= 0) problems.push(`row ${index + 1}, column ${columns[column]}: changed`);
    if (problems.length >= 5) break;
  }
  return problems;
}

/** How many rows of a result say `ok` and `error`. */
export function statuses(output: Table): { ok: number; error: number } {
  const at = output.header.indexOf('row_status');
  const of = (status: string): number => output.rows.filter((row) => row[at] === status).length;
  return { ok: of('ok'), error: of('error') };
}
