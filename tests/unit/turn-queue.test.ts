import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { RowPostponed } from '../../functions/providers/errors.pure.ts';
import { createTurnQueue } from '../../functions/providers/turn-queue.ts';
import { deadlineIn } from '../support/rows.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** The turns of a provider that has asked for a pause of so long. */
function closedFor(closedMs: number) {
  const until = Date.now() + closedMs;
  const own = { closedMs: () => Math.max(0, until - Date.now()) };
  const view = { isFree: () => true };
  const lessons = { settled: async () => undefined };
  const options = {
    provider: 'llm',
    deadline: deadlineIn(20_000),
    now: Date.now,
    onLimited: () => {},
  };
  return createTurnQueue(options, { own, view, lessons } as never);
}

test.each([Infinity, 500])(
  'a row that can go elsewhere is told so at once, while one with a patience of %d waits',
  async (othersMs) => {
    const queue = closedFor(5000);
    const other = queue.turn(0, othersMs).catch((error: unknown) => error);
    await vi.advanceTimersByTimeAsync(100);
    const refused: unknown[] = [];
    queue.turn(0, 500).catch((error: unknown) => refused.push(error));
    await vi.advanceTimersByTimeAsync(10);
    expect(refused).toEqual([expect.any(RowPostponed)]);
    await vi.advanceTimersByTimeAsync(6000);
    if (othersMs === Infinity) expect(await other).toMatchObject({ isFree: true });
    else expect(await other).toBeInstanceOf(RowPostponed);
  },
);
