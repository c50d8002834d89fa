import { chunkBudget, chunkSize, laneOf } from '../../functions/shared/lanes.pure.ts';
import fc from 'fast-check';
import { expect, test } from 'vitest';

test('a long job leaves invocations free that a small one needs at once', () => {
  const small = Math.ceil(20 / chunkSize(20, chunkBudget(20, 100)));
  const long = laneOf('u', 20_000, 100);
  expect(long).toEqual({ key: 'user-u', parallelism: 96 });
  expect(100 - long.parallelism).toBeGreaterThanOrEqual(small);
  expect(laneOf('u', 20, 100)).toEqual({ key: 'user-u-short', parallelism: 100 });
});

test('lanes belong to one user, and have names that the queue takes', () => {
  fc.assert(
    fc.property(
      fc.uuid(),
      fc.integer({ min: 1, max: 1_000_000 }),
      fc.integer({ min: 1, max: 1000 }),
      (user, rows, parallel) => {
        const { key, parallelism } = laneOf(user, rows, parallel);
        expect(key).toMatch(/^[A-Za-z0-9\-_.]+$/);
        expect(key).toContain(user);
        expect(parallelism).toBeGreaterThanOrEqual(1);
        expect(parallelism).toBeLessThanOrEqual(parallel);
      },
    ),
  );
});

test('chunks have 6 to 60 rows and fill whole waves of their lane', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 100_000 }),
      fc.integer({ min: 1, max: 1000 }),
      (rows, parallel) => {
        const size = chunkSize(rows, chunkBudget(rows, parallel));
        expect(size).toBeGreaterThanOrEqual(6);
        expect(size).toBeLessThanOrEqual(60);
        const lane = laneOf('u', rows, parallel).parallelism;
        const waves = (of: number) => Math.ceil(Math.ceil(rows / of) / lane);
        expect(waves(size)).toBe(waves(60));
      },
    ),
  );
});
