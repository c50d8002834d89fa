// Reads every CSV below a folder as an upload is read, and counts what becomes of them:
//   node scripts/read-corpus.ts DIR [--list] [--each]
import { createReadStream } from 'node:fs';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { decode } from '../functions/csv/decode.pure.ts';
import { readRows } from '../functions/csv/read-rows.pure.ts';
import { DomainError } from '../functions/errors.ts';

type Read = {
  file: string;
  outcome: string;
  encoding?: string;
  columns: number;
  rows: number;
  skipped: number;
  /** Rows whose number of cells is not that of the header. */
  uneven: number;
  warnings: readonly string[];
};

async function read(file: string): Promise<Read> {
  const seen: Read = {
    file,
    outcome: 'read',
    columns: 0,
    rows: 0,
    skipped: 0,
    uneven: 0,
    warnings: [],
  };
  try {
    for await (const batch of readRows(decode(createReadStream(file)))) {
      const width = batch.header.length;
      seen.columns = width;
      seen.rows += batch.rows.length;
      seen.skipped += batch.skips.size;
      seen.uneven += batch.rows.filter((row) => row.length !== 0 && row.length !== width).length;
      seen.warnings = batch.warnings;
    }
  } catch (error) {
    if (!(error instanceof DomainError)) throw error;
    const reason = error.detail ?? '';
    seen.outcome = `${error.code}: ${reason.replaceAll(/\d+/g, 'N').slice(0, 90)}`;
  }
  return seen;
}

const [dir = '.', ...flags] = process.argv.slice(2);
const names = await readdir(dir, { recursive: true });
const files = names.filter((name) => /\.(csv|tsv|txt)$/i.test(name)).toSorted();
const counts = new Map<string, number>();
const count = (what: string): void => void counts.set(what, (counts.get(what) ?? 0) + 1);
for (const name of files) {
  const seen = await read(path.join(dir, name));
  count(seen.outcome);
  for (const warning of seen.warnings)
    count(`  warned: ${warning.replaceAll(/\d+/g, 'N').slice(0, 70)}`);
  if (seen.outcome === 'read' && seen.columns === 1) count('  of one column');
  if (seen.outcome === 'read' && seen.uneven * 10 > seen.rows) count('  every tenth row uneven');
  const isOdd =
    seen.outcome !== 'read' ||
    seen.warnings.length > 0 ||
    seen.columns === 1 ||
    seen.uneven * 10 > seen.rows;
  if (flags.includes('--each') || (flags.includes('--list') && isOdd))
    console.log(
      `${name}\t${seen.outcome}\t${seen.columns}c ${seen.rows}r ${seen.skipped}s ${seen.uneven}u\t${seen.warnings.join(' | ')}`,
    );
}
console.log(`${files.length} files`);
for (const [what, n] of [...counts].toSorted(([, a], [, b]) => b - a))
  console.log(`${String(n).padStart(6)}  ${what}`);
