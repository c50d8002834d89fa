import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type ChunkBatch, Chunker } from '../../functions/jobs/chunker.pure.ts';
import { chunkSize } from '../../functions/jobs/job.pure.ts';

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

test('chunks hold every row once, in order, in the size that the row count calls for', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 9000 }),
      fc.integer({ min: 1, max: 700 }),
      fc.integer({ min: 1, max: 200 }),
      fc.constantFrom(10, 150, 1000),
      (count, piece, parallel, width) => {
        const rows = Array.from({ length: count }, (_, i) => [String(i), 'line\n"2"']);
        const chunks = chunked(rows, width, piece, new Chunker(parallel, count * width));
        expectWhole(chunks, rows);
        // A file that is long enough to be estimated is taken for two in a hundred longer.
        const sizes = [count, Math.ceil(count * 1.02)].map((rows) => chunkSize(rows, parallel));
        const seen = new Set(chunks.slice(0, -1).map((chunk) => chunk.rows.length));
        expect(seen.size).toBeLessThanOrEqual(1);
        for (const size of seen) expect(sizes).toContain(size);
      },
    ),
    { numRuns: 60 },
  );
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
