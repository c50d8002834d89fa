import { chunkBudget } from '../../functions/shared/lanes.pure.ts';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type ChunkBatch, Chunker } from '../../functions/csv/chunker.pure.ts';

type Chunk = { index: number; firstRow: number; rows: string[][] };

/** The chunks as the database will hold them. */
function chunksOf({ index, firstRow, counts, lines }: ChunkBatch): Chunk[] {
  const each = lines.split('\n');
  expect(each).toHaveLength(counts.length);
  let at = firstRow;
  return each.map((line, i) => {
    const rows = JSON.parse(line) as string[][];
    expect(rows).toHaveLength(counts[i] ?? -1);
    const chunk = { index: index + i, firstRow: at, rows };
    at += rows.length;
    return chunk;
  });
}

/** Feeds rows of `width` characters in pieces, with or without the length of the file. */
function chunked(rows: string[][], width: number, piece: number, chunker: Chunker): Chunk[] {
  const chunks: Chunk[] = [];
  const keep = (batch: ChunkBatch | undefined) => {
    if (batch) chunks.push(...chunksOf(batch));
  };
  for (let at = 0; at < rows.length; at += piece) {
    const part = rows.slice(at, at + piece);
    chunker.add(part, part.length * width);
    keep(chunker.take(chunker.rows * width));
  }
  keep(chunker.finish());
  return chunks;
}

function expectWhole(chunks: Chunk[], rows: string[][]): void {
  expect(chunks.map(({ index }) => index)).toEqual(chunks.map((_, i) => i));
  expect(chunks.flatMap((chunk) => chunk.rows)).toEqual(rows);
  for (const { firstRow, rows: own } of chunks) expect(own[0]).toEqual(rows[firstRow]);
}

test('chunks hold every row once, in order, 6 to 60 at a time, in no more waves than it takes', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 9000 }),
      fc.integer({ min: 1, max: 700 }),
      fc.integer({ min: 1, max: 200 }),
      fc.constantFrom(10, 150, 1000),
      // How far off the length of the file is as a measure of its rows.
      fc.double({ min: 0.97, max: 1.03, noNaN: true }),
      (count, piece, parallel, width, skew) => {
        const rows = Array.from({ length: count }, (_, i) => [String(i), 'line\n"2"']);
        const chunker = new Chunker(parallel, Math.round(count * width * skew));
        const chunks = chunked(rows, width, piece, chunker);
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

test('a length that is measured well needs not one chunk more than whole waves', () => {
  for (const count of [10_000, 20_000, 50_000, 100_000]) {
    const rows = Array.from({ length: count }, (_, i) => [String(i)]);
    const chunks = chunked(rows, 100, 600, new Chunker(100, count * 100));
    expectWhole(chunks, rows);
    expect(chunks.length).toBeLessThanOrEqual(chunkBudget(count, 100));
  }
});

test('rows that are very long make small chunks: none is more than a statement should carry', () => {
  const rows = Array.from({ length: 40 }, (_, i) => [String(i), 'x'.repeat(100_000)]);
  const chunks = chunked(rows, 100_000, 3, new Chunker(1, undefined));
  expectWhole(chunks, rows);
  for (const chunk of chunks) expect(JSON.stringify(chunk.rows).length).toBeLessThan(700_000);
});

test('without rows there is nothing to store', () => {
  const chunker = new Chunker(100, undefined);
  expect([chunker.take(0), chunker.finish()]).toEqual([undefined, undefined]);
});
