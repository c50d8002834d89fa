import { chunkBudget } from '../../functions/shared/lanes.pure.ts';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  batchCharacters,
  type ChunkBatch,
  type ChunkOptions,
  chunkRows,
} from '../../functions/csv/chunk-rows.pure.ts';
import type { RowBatch } from '../../functions/csv/read-rows.pure.ts';

type Chunk = { index: number; firstRow: number; rows: string[][] };

/** The chunks as the database will hold them. */
function chunksOf({ index, firstRow, counts, lines }: ChunkBatch): Chunk[] {
  const each = lines.split('\n');
  expect(each).toHaveLength(counts.length);
  let nextRow = firstRow;
  return each.map((line, i) => {
    const rows = JSON.parse(line) as string[][];
    expect(rows).toHaveLength(counts[i] ?? -1);
    const chunk = { index: index + i, firstRow: nextRow, rows };
    nextRow += rows.length;
    return chunk;
  });
}

/** Rows of `width` characters, so many in a batch. */
async function* batchesOf(
  rows: string[][],
  width: number,
  batchRows: number,
): AsyncGenerator<RowBatch> {
  for (let start = 0; start < rows.length; start += batchRows) {
    const part = rows.slice(start, start + batchRows);
    const bytesSoFar = (start + part.length) * width;
    const format = { encoding: 'UTF-8', delimiter: ',' };
    const noted = { skips: new Map<number, string>(), warnings: [], format };
    yield {
      header: ['id'],
      headerLine: 1,
      rows: part,
      ...noted,
      bytesSoFar,
    };
  }
}

async function chunked(
  rows: string[][],
  width: number,
  batchRows: number,
  options: ChunkOptions,
): Promise<Chunk[]> {
  const chunks: Chunk[] = [];
  for await (const batch of chunkRows(batchesOf(rows, width, batchRows), options))
    chunks.push(...chunksOf(batch));
  return chunks;
}

function expectWhole(chunks: Chunk[], rows: string[][]): void {
  expect(chunks.map(({ index }) => index)).toEqual(chunks.map((_, i) => i));
  expect(chunks.flatMap((chunk) => chunk.rows)).toEqual(rows);
  for (const { firstRow, rows: own } of chunks) expect(own[0]).toEqual(rows[firstRow]);
}

test('chunks hold every row once, in order, 6 to 60 at a time, in no more waves than it takes', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 9000 }),
      fc.integer({ min: 1, max: 700 }),
      fc.integer({ min: 1, max: 200 }),
      fc.constantFrom(10, 150, 1000),
      // How far off the length of the file is as a measure of its rows.
      fc.double({ min: 0.97, max: 1.03, noNaN: true }),
      async (count, piece, parallel, width, skew) => {
        const rows = Array.from({ length: count }, (_, i) => [String(i), 'line\n"2"']);
        const totalBytes = Math.round(count * width * skew);
        const options = { parallelInvocations: parallel, totalBytes };
        const chunks = await chunked(rows, width, piece, options);
        expectWhole(chunks, rows);
        const sizes = chunks.map((chunk) => chunk.rows.length);
        expect(Math.max(...sizes)).toBeLessThanOrEqual(60);
        if (sizes.length > 1) expect(Math.min(...sizes.slice(0, -1))).toBeGreaterThanOrEqual(6);
        // A file that is near the end of a wave may be taken for one that needs another.
        const budgets = [0.97, 1, 1.03].map((off) => chunkBudget(count * off, parallel));
        const smallest = Math.ceil(count / 6);
        expect(chunks.length).toBeLessThanOrEqual(Math.max(...budgets, smallest));
      },
    ),
    { numRuns: 100 },
  );
});

test('a length that is measured well needs not one chunk more than whole waves', async () => {
  for (const count of [10_000, 20_000, 50_000, 100_000]) {
    const rows = Array.from({ length: count }, (_, i) => [String(i)]);
    const chunks = await chunked(rows, 100, 600, {
      parallelInvocations: 100,
      totalBytes: count * 100,
    });
    expectWhole(chunks, rows);
    expect(chunks.length).toBeLessThanOrEqual(chunkBudget(count, 100));
  }
});

test('rows that are very long make small chunks: none is more than a statement should carry', async () => {
  const rows = Array.from({ length: 40 }, (_, i) => [String(i), 'x'.repeat(100_000)]);
  const chunks = await chunked(rows, 100_000, 3, {
    parallelInvocations: 1,
    totalBytes: undefined,
  });
  expectWhole(chunks, rows);
  for (const chunk of chunks) expect(JSON.stringify(chunk.rows).length).toBeLessThan(700_000);
});

test('without rows there is nothing to store', async () => {
  const options = { parallelInvocations: 100, totalBytes: undefined };
  expect(await chunked([], 0, 1, options)).toEqual([]);
});

/** Cells that take more JSON than text, more bytes than characters, or next to nothing. */
const nasty = fc
  .tuple(
    fc.constantFrom('a', '\u0001', '"', '\\', '漢', '\ud800', '€"', '\n', ''),
    fc.oneof(
      { weight: 6, arbitrary: fc.nat(40) },
      { weight: 2, arbitrary: fc.nat(5000) },
      { weight: 1, arbitrary: fc.nat(150_000) },
    ),
  )
  .map(([text, times]) => text.repeat(times));

const nastyRows = fc.array(
  fc.record({
    row: fc.array(nasty, { minLength: 1, maxLength: 6 }),
    again: fc.oneof(fc.constant(1), fc.nat(90)),
    note: fc.option(fc.constantFrom('empty row', 'below the table'), { freq: 3 }),
  }),
  { maxLength: 25 },
);

type Told = { row: string[]; note: string | undefined; sameAs?: number | undefined };

/** The same with the number of the first row of the same cells, looked for by comparing texts. */
function withDuplicates(told: Told[]): Told[] {
  const first = new Map<string, number>();
  return told.map(({ row, note }, i) => {
    const last = row.findLastIndex((cell) => cell !== '');
    const key = JSON.stringify(row.slice(0, last + 1));
    const sameAs = note === undefined ? first.get(key) : undefined;
    if (note === undefined && sameAs === undefined) first.set(key, i + 1);
    return { row, note, sameAs };
  });
}

async function* toldBatches(told: Told[], batchRows: number): AsyncGenerator<RowBatch> {
  for (let start = 0; start < told.length; start += batchRows) {
    const part = told.slice(start, start + batchRows);
    const notes = part.flatMap(({ note }, i): [number, string][] => (note ? [[i, note]] : []));
    yield {
      headerLine: 1,
      header: ['a'],
      rows: part.map(({ row }) => row),
      skips: new Map(notes),
      warnings: [],
      format: { encoding: 'UTF-8', delimiter: ',' },
      bytesSoFar: start + part.length,
    };
  }
}

/** Rows with why they are not worked, as the database will hold them. */
const toldOf = (batch: ChunkBatch): Told[] =>
  chunksOf(batch).flatMap(({ rows }, n) =>
    rows.map((row, i) => ({
      row,
      note: batch.skips?.[n]?.get(i),
      sameAs: batch.duplicates?.[n]?.find(([place]) => place === i)?.[1],
    })),
  );

test('whatever the text: no statement holds much more than one row, every row keeps its note, and duplicates are told', async () => {
  await fc.assert(
    fc.asyncProperty(
      nastyRows,
      fc.integer({ min: 1, max: 700 }),
      fc.array(fc.boolean(), { maxLength: 20 }),
      async (plans, batchRows, scarce) => {
        const told = plans.flatMap(({ row, again, note }) =>
          Array.from({ length: Math.max(1, again) }, () => ({ row, note: note ?? undefined })),
        );
        const longest = Math.max(0, ...told.map(({ row }) => JSON.stringify(row).length));
        let widestBatch = 0;
        for (let i = 0; i < told.length; i += batchRows)
          widestBatch = Math.max(widestBatch, JSON.stringify(told.slice(i, i + batchRows)).length);
        let [gathered, looks] = [0, 0];
        const memory = {
          gathered: (characters: number) => (gathered = characters),
          kept: () => undefined,
          isScarce: () => scarce[looks++ % Math.max(1, scarce.length)] ?? false,
        };
        const options = { parallelInvocations: 3, totalBytes: told.length, memory };
        const stored: Told[] = [];
        for await (const batch of chunkRows(toldBatches(told, batchRows), options)) {
          const lines = batch.lines.split('\n');
          expect(batch.lines.length).toBeLessThan(batchCharacters + longest + 2 * lines.length);
          for (const line of lines)
            expect(line.length).toBeLessThan(Math.max(batchCharacters, longest + 1) + 2);
          expect(gathered).toBeLessThan(batchCharacters + widestBatch + 90 * 700);
          expect(batch.firstRow).toBe(stored.length);
          expect(batch.skips?.every(({ size }) => size === 0) ?? false).toBe(false);
          stored.push(...toldOf(batch));
        }
        expect(stored).toEqual(withDuplicates(told));
      },
    ),
    { numRuns: 60 },
  );
});

test('a batch whose rows wait to be stored keeps none of their cells', async () => {
  const batches: RowBatch[] = [];
  async function* kept() {
    const told = Array.from({ length: 20_000 }, () => ({ row: ['x'], note: 'empty row' }));
    for await (const batch of toldBatches(told, 10_000)) {
      batches.push(batch);
      yield batch;
    }
  }
  const options = { parallelInvocations: 3, totalBytes: undefined };
  let rows = 0;
  for await (const { counts } of chunkRows(kept(), options)) {
    rows += counts.reduce((sum, count) => sum + count, 0);
    expect(batches.map((batch) => batch.rows.length + batch.skips.size)).toEqual(
      batches.map(() => 0),
    );
  }
  expect(rows).toBe(20_000);
});

test('while memory is scarce hardly anything waits to be sent', async () => {
  const told = Array.from({ length: 3000 }, () => ({
    row: ['\u0001'.repeat(400)],
    note: undefined,
  }));
  let gathered = 0;
  const memory = {
    gathered: (characters: number) => (gathered = characters),
    kept: () => undefined,
    isScarce: () => true,
  };
  const options = { parallelInvocations: 100, totalBytes: told.length, memory };
  const waiting: number[] = [];
  for await (const batch of chunkRows(toldBatches(told, 50), options)) {
    waiting.push(gathered);
    expect(batch.lines.length).toBeLessThan(50 * 2500 + 65_536);
  }
  expect(waiting.length).toBeGreaterThan(40);
  expect(Math.max(...waiting)).toBeLessThan(67_000);
});
