import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  learnFromHeaders,
  learnFromQuiet,
  learnFromRefusal,
  nothingLearned,
  type Learned,
  type Seen,
} from '../../functions/providers/pace.pure.ts';

const second = 1_000_000;
const start = 1_795_305_600 * second;
const seen = (fields: Partial<Seen> = {}): Seen => ({
  now: start + 4 * second,
  serial: 1001,
  accepted: 1000,
  check: 0,
  every: 0,
  marks: [{ at: start, serial: 0 }],
  ...fields,
});
const refusal = (serial: number, fields = {}) => ({
  serial,
  sentAt: start + 4 * second,
  retryAfterUs: undefined as number | undefined,
  limits: {},
  tokens: 0,
  ...fields,
});
const perMinute = (every: number) => (60 * second) / every;

describe('the first refusal', () => {
  test("tells a minute's limit from what went through, however long that took", () => {
    const cases = fc.record({
      limit: fc.integer({ min: 60, max: 30_000 }),
      seconds: fc.integer({ min: 1, max: 600 }),
    });
    fc.assert(
      fc.property(cases, ({ limit, seconds }) => {
        const accepted = Math.floor(limit * (1 + seconds / 60));
        const now = start + seconds * second;
        const said = { retryAfterUs: 20 * second, sentAt: now };
        const at = seen({ now, serial: accepted + 1, accepted });
        const lesson = learnFromRefusal(nothingLearned, at, refusal(accepted + 1, said), 0);
        expect(perMinute(lesson?.learned.every ?? 0) / limit).toBeGreaterThan(0.97);
        expect(perMinute(lesson?.learned.every ?? 0) / limit).toBeLessThan(1.03);
        expect(lesson?.block).toBe(20 * second);
      }),
    );
  });

  test('closes for a second where the provider says nothing, then a faster pace is tried', () => {
    const lesson = learnFromRefusal(nothingLearned, seen(), refusal(1001), 0);
    expect(lesson).toMatchObject({ block: second, learned: { stage: 'tried' } });
    expect(perMinute(lesson?.learned.every ?? 0)).toBeGreaterThan(2000);
    const failed = learnFromRefusal(
      lesson?.learned ?? nothingLearned,
      seen({ now: start + 6 * second, serial: 1030, every: lesson?.learned.every ?? 0 }),
      refusal(1020),
      0,
    );
    expect(failed?.learned.stage).toBe('measured');
    expect(perMinute(failed?.learned.every ?? 0)).toBeCloseTo(938, 0);
  });

  test('counts once: those of the same burst say nothing new', () => {
    const { learned } = learnFromRefusal(nothingLearned, seen(), refusal(1001), 0) ?? {
      learned: nothingLearned,
    };
    for (const serial of [990, 1000, 1001])
      expect(learnFromRefusal(learned, seen(), refusal(serial), 0)).toBeUndefined();
  });
});

const measured: Learned = {
  ...nothingLearned,
  stage: 'measured',
  every: second / 20,
  refusedAt: start,
  refusedSerial: 1000,
  markedAt: start,
  markedCalls: 1000,
  markedSerial: 1000,
};

test('between refusals, what went through and how long it took is the pace', () => {
  const at = seen({ now: start + 30 * second, serial: 1530, accepted: 1500, every: second / 18 });
  const lesson = learnFromRefusal(measured, at, refusal(1520), 0);
  expect(perMinute(lesson?.learned.every ?? 0)).toBeCloseTo(1000 / 1.02, 0);
});

test('refused again and again at once: it closes for longer, up to 8 s, at the same pace', () => {
  let learned = measured;
  const blocks: number[] = [];
  for (let serial = 1001; serial < 1008; serial += 1) {
    const at = seen({
      now: start + serial * second,
      serial,
      accepted: 1000,
      every: measured.every,
    });
    const lesson = learnFromRefusal(learned, at, refusal(serial), 0);
    blocks.push((lesson?.block ?? 0) / second);
    learned = lesson?.learned ?? learned;
  }
  expect(blocks).toEqual([0.3, 0.9, 2.7, 8, 8, 8, 8]);
  expect(learned.every).toBe(measured.every);
});

test('a limit that is set is kept after a refusal in a hundred, and lowered after more', () => {
  const set = second / 100;
  const known = { ...measured, stage: 'free' as const, every: 0 };
  const now = start + 10 * second;
  const rare = seen({ now, serial: 2000, accepted: 1995, every: 0 });
  expect(learnFromRefusal(known, rare, refusal(2000), set)?.learned.every).toBe(0);
  const often = seen({ now, serial: 2000, accepted: 1800, every: 0 });
  const lower = learnFromRefusal(known, often, refusal(2000), set)?.learned.every ?? 0;
  expect(second / lower).toBeGreaterThan(75);
  expect(second / lower).toBeLessThan(82);
});

test("a day's quota that is used up closes until it is reset, and is no pace", () => {
  const resetMs = 3_600_000;
  const limits = { requestsPerDay: { limit: 1000, remaining: 0, resetMs } };
  const quota = { block: resetMs * 1000, quota: true };
  expect(learnFromRefusal(nothingLearned, seen(), refusal(1001, { limits }), 0)).toMatchObject(
    quota,
  );
  expect(learnFromHeaders(nothingLearned, limits)).toMatchObject(quota);
});

test('limits that headers tell are learned once, and again when they change', () => {
  const limits = { requestsPerMinute: { limit: 1000, remaining: 999, resetMs: 60 } };
  const learned = learnFromHeaders(nothingLearned, limits)?.learned ?? nothingLearned;
  expect(perMinute(learned.every)).toBeCloseTo(1000);
  expect(learnFromHeaders(learned, limits)).toBeUndefined();
  const more = { requestsPerMinute: { limit: 2000, remaining: 1999, resetMs: 30 } };
  expect(perMinute(learnFromHeaders(learned, more)?.learned.every ?? 0)).toBeCloseTo(2000);
});

test('a pace grows faster when nobody was refused, and not before it was used', () => {
  const grown = { ...measured, grow: 1000 * second };
  const at = { now: start + 30 * second, every: second / 21, check: 1400 };
  expect(learnFromQuiet(grown, seen({ ...at, serial: 1399 }))).toBeUndefined();
  expect(learnFromQuiet(grown, seen({ ...at, serial: 1400 }))?.learned).toMatchObject({
    every: second / 21,
    grow: 500 * second,
  });
});

test('a provider that refuses every single call is away in the end, so that jobs can say so', () => {
  let learned: Learned = nothingLearned;
  const blocks: number[] = [];
  for (let serial = 1; serial <= 10; serial += 1) {
    const now = start + serial * 10 * second;
    const lesson = learnFromRefusal(
      learned,
      seen({ now, serial, accepted: 0 }),
      refusal(serial),
      0,
    );
    if (!lesson) throw new Error('it says nothing');
    ({ learned } = lesson);
    blocks.push(lesson.block / second);
  }
  expect(Math.max(...blocks.slice(0, 8))).toBeLessThanOrEqual(8);
  expect(blocks.at(-1)).toBe(30);
});
