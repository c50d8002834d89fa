import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Chunker } from '../../functions/jobs/chunker.pure.ts';
import { chunkSize } from '../../functions/jobs/job.pure.ts';

test('chunks hold every row once, in order, in the size that the row count calls for', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 9000 }),
      fc.integer({ min: 1, max: 700 }),
      fc.integer({ min: 1, max: 200 }),
      (count, piece, parallel) => {
        const chunker = new Chunker(parallel, count * 10);
        const chunks = [];
        for (let at = 0; at < count; at += piece) {
          const rows = Array.from({ length: Math.min(piece, count - at) }, (_, i) => [
            String(at + i),
          ]);
          chunker.add(rows);
          chunks.push(...chunker.take(chunker.rows * 10));
        }
        chunks.push(...chunker.finish());
        expect(chunks.map((chunk) => chunk.index)).toEqual(chunks.map((_, i) => i));
        expect(chunks.flatMap((chunk) => chunk.rows.map(([cell]) => Number(cell)))).toEqual(
          Array.from({ length: count }, (_, i) => i),
        );
        for (const chunk of chunks) expect(Number(chunk.rows[0]?.[0])).toBe(chunk.firstRow);
        const sizes = chunks.slice(0, -1).map((chunk) => chunk.rows.length);
        expect(new Set(sizes).size).toBeLessThanOrEqual(1);
        expect(sizes.every((size) => size === chunkSize(count, parallel))).toBe(true);
      },
    ),
    { numRuns: 60 },
  );
});
