import { expect } from 'vitest';
import { decode } from '../../functions/csv/decode.pure.ts';
import { readRows } from '../../functions/csv/read-rows.pure.ts';
import { DomainError } from '../../functions/errors.ts';

export type Table = {
  header: string[];
  /** Those to be worked, as wide as the header. */
  rows: string[][];
  /** How many are not. */
  skipped: number;
  warnings: readonly string[];
};

/** A file as an upload is read. */
export async function readTable(file: Uint8Array | string): Promise<Table> {
  const table: Table = { header: [], rows: [], skipped: 0, warnings: [] };
  async function* whole() {
    yield typeof file === 'string' ? new TextEncoder().encode(file) : file;
  }
  for await (const { header, rows, skips, warnings } of readRows(decode(whole()))) {
    table.rows.push(...rows.filter((_, i) => !skips.has(i)));
    table.skipped += skips.size;
    Object.assign(table, { header, warnings });
  }
  const { header } = table;
  table.rows = table.rows.map((row) => [...row, ...header.slice(row.length).map(() => '')]);
  return table;
}

/** Why a file is refused. */
export const refusal = (file: Uint8Array | string): Promise<DomainError> =>
  readTable(file).then(
    () => expect.unreachable('it was read'),
    (error: unknown) => {
      if (error instanceof DomainError) return error;
      throw error;
    },
  );
