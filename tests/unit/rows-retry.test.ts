import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import {
  createRowTools,
  ProviderError,
  RowPostponed,
} from '../../functions/processing/create-row-tools.ts';
import { createConnectionLimiter } from '../../functions/providers/connection-limiter.ts';
import { deadlineIn, rowCtx, streamed } from '../support/rows.ts';

beforeEach(() => {
  vi.useFakeTimers({
    now: Date.UTC(2026, 10, 21),
    toFake: ['setTimeout', 'clearTimeout', 'Date'],
  });
});
afterEach(() => {
  vi.useRealTimers();
});

type Answer = (call: number, signal: AbortSignal) => Response | Promise<Response>;

const limited = (retryAfter?: string) =>
  new Response('slow down', {
    status: 429,
    headers: retryAfter === undefined ? {} : { 'retry-after': retryAfter },
  });
const found = () => Response.json({ organic: [{ title: 'ACME', snippet: 'makes anvils' }] });
const hang: Answer = (_, signal) =>
  new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error));
  });

/** A toolbox whose provider answers as told; when each call came, in ms from the start. */
function rig(answer: Answer, startMs = 20_000, stopMs = 28_000) {
  const calls: number[] = [];
  const from = Date.now();
  const fetcher = async (_url: unknown, init?: RequestInit) => {
    calls.push(Date.now() - from);
    return answer(calls.length, init?.signal as AbortSignal);
  };
  const deadline = deadlineIn(startMs, stopMs);
  const ctx = rowCtx();
  const toolbox = createRowTools(ctx, createConnectionLimiter(6, fetcher), deadline);
  return { ...toolbox.tools, calls, deadline, ctx };
}

const acme = { text: 'ACME', cacheable: true };
const asked = [{ role: 'user' as const, content: 'Hi' }];

/** What came of it, and after how many ms, with the clock run on until it is there. */
async function outcomeOf<T>(work: Promise<T>) {
  const from = Date.now();
  let afterMs = -1;
  const settled = Promise.allSettled([work]).then(([one]) => {
    afterMs = Date.now() - from;
    return one;
  });
  while (afterMs < 0) {
    await vi.advanceTimersByTimeAsync(50);
  }
  const one = await settled;
  return one.status === 'fulfilled'
    ? { value: one.value, error: undefined, afterMs }
    : { value: undefined, error: one.reason as unknown, afterMs };
}

describe('what fails is tried three times', () => {
  test('a 500 and a cut connection are forgotten once a try succeeds', async () => {
    const { search, calls } = rig((call) => {
      if (call === 1) return new Response('no', { status: 500 });
      if (call === 2) throw new TypeError('fetch failed');
      return found();
    });
    expect((await outcomeOf(search(acme))).value).toBe('ACME: makes anvils');
    expect(calls).toHaveLength(3);
  });

  test.each<[string, Answer, string]>([
    ['500', () => new Response('no', { status: 500 }), 'Search answered 500'],
    ['no JSON', () => new Response('<html>'), 'Search gave no readable answer'],
    ['JSON that is no object', () => new Response('null'), 'Search gave no readable answer'],
    ['a cut', () => Promise.reject(new TypeError('fetch failed')), 'Search broke off'],
  ])('%s three times is an error with a reason', async (_, answer, message) => {
    const { search, calls } = rig(answer);
    expect((await outcomeOf(search(acme))).error).toEqual(new ProviderError(message, 'retryable'));
    expect(calls).toHaveLength(3);
  });

  test('a search that hangs has twelve seconds a try', async () => {
    const { search, calls } = rig(hang, 60_000, 90_000);
    const { error, afterMs } = await outcomeOf(search(acme));
    expect(error).toEqual(new ProviderError('Search took too long', 'retryable'));
    expect(calls).toHaveLength(3);
    expect(afterMs).toBeGreaterThanOrEqual(36_000);
    expect(afterMs).toBeLessThanOrEqual(36_000 + 3000);
  });

  test('what would be refused again is asked once', async () => {
    const { search, calls } = rig(() => new Response('no', { status: 403 }));
    expect((await outcomeOf(search(acme))).error).toMatchObject({ message: 'Search answered 403' });
    expect(calls).toHaveLength(1);
  });

  test('the wait is at least what the provider asks for', async () => {
    const { search, calls } = rig((call) =>
      call === 1 ? new Response('', { status: 503, headers: { 'retry-after': '3' } }) : found(),
    );
    await outcomeOf(search(acme));
    expect(calls[1]).toBeGreaterThanOrEqual(3000);
  });

  test.each<[string, () => Response]>([
    ['a broken event', () => new Response('data: {"choices": [\n\ndata: [DONE]\n\n')],
    ['a reported error', () => new Response('data: {"error":{"message":"x"}}\n\n')],
    ['a cut stream', () => new Response('data: {"choices":[{"delta":{"content":"He"}}]}\n\n')],
    ['silence', () => new Response('data: [DONE]\n\n')],
  ])('%s in a stream is tried again', async (_, broken) => {
    const { complete, calls } = rig((call) => (call < 3 ? broken() : streamed('Hello')));
    expect((await outcomeOf(complete(asked))).value).toMatchObject({ text: 'Hello' });
    expect(calls).toHaveLength(3);
  });
});

describe('429', () => {
  test('one refusal holds all rows, which then come through one after the other', async () => {
    const { complete, calls, ctx } = rig((call) => (call <= 6 ? limited('4') : streamed('Hello')));
    const rows = Array.from({ length: 20 }, () => complete(asked));
    const answers = (await outcomeOf(Promise.all(rows))).value;
    expect(answers?.map(({ text }) => text)).toEqual(rows.map(() => 'Hello'));
    const [first, later] = [calls.slice(0, 6), calls.slice(6)];
    expect(first).toEqual([0, 0, 0, 0, 0, 0]);
    // Those that waited for a slot are held too.
    expect(later).toHaveLength(20);
    expect(Math.min(...later)).toBeGreaterThanOrEqual(4000);
    expect(Math.max(...later)).toBeLessThanOrEqual(4000 + 1000);
    expect(new Set(later).size).toBeGreaterThan(10);
    expect(ctx.lines).toEqual([{ event: 'provider_refused', provider: 'Model', waitMs: 4000 }]);
  });

  test('a date is understood as well as seconds', async () => {
    const at = new Date(Date.now() + 5000).toUTCString();
    const { search, calls } = rig((call) => (call === 1 ? limited(at) : found()));
    expect(await outcomeOf(search(acme))).toMatchObject({ value: 'ACME: makes anvils' });
    expect(calls[1]).toBeGreaterThanOrEqual(5000);
  });

  test.each(['0', new Date(0).toUTCString()])(
    'a wait of nothing (%s) is no leave to ask without end',
    async (retryAfter) => {
      const { search, calls } = rig(() => limited(retryAfter), 20_000, 27_000);
      expect((await outcomeOf(search(acme))).error).toBeInstanceOf(RowPostponed);
      expect(calls.length).toBeGreaterThan(1);
      expect(calls.length).toBeLessThan(40);
    },
  );

  test('refusals are no tries: ten of them do no harm while there is time', async () => {
    const { search, calls } = rig(
      (call) => (call <= 10 ? limited('1') : found()),
      600_000,
      700_000,
    );
    expect((await outcomeOf(search(acme))).value).toBe('ACME: makes anvils');
    expect(calls).toHaveLength(11);
  });

  test('without time to wait the row is postponed, by as much as the provider asks for', async () => {
    const { search, calls } = rig(() => limited('30'));
    const { error, afterMs } = await outcomeOf(search(acme));
    expect(error).toBeInstanceOf(RowPostponed);
    expect((error as RowPostponed).retryAfterMs).toBeGreaterThanOrEqual(30_000);
    expect(afterMs).toBeLessThanOrEqual(100);
    expect(calls).toHaveLength(1);
  });

  test('a provider that never stops refusing postpones the row in time', async () => {
    const { search, deadline } = rig(() => limited());
    const { error, afterMs } = await outcomeOf(search(acme));
    expect(error).toBeInstanceOf(RowPostponed);
    expect(afterMs).toBeLessThanOrEqual(20_000);
    expect(Date.now()).toBeLessThanOrEqual(deadline.stopAt);
  });
});

describe('the deadline', () => {
  test('cuts a request on its way: the row has not failed', async () => {
    const { complete } = rig(hang, 5000, 9000);
    const { error, afterMs } = await outcomeOf(complete(asked));
    expect(error).toBeInstanceOf(RowPostponed);
    expect(afterMs).toBe(9000);
  });

  test('a model that hangs again after it hung has failed, so that no job waits for ever', async () => {
    const { complete } = rig(hang);
    const { error, afterMs } = await outcomeOf(complete(asked));
    expect(error).toEqual(new ProviderError('Model took too long', 'retryable'));
    expect(afterMs).toBeLessThanOrEqual(28_000);
  });

  test('a cancelled job stops what waits for a slot, for a retry and for the provider', async () => {
    const { complete, deadline } = rig((call, signal) =>
      call === 1 ? limited('15') : hang(call, signal),
    );
    const rows = Array.from({ length: 12 }, () => complete(asked));
    setTimeout(() => deadline.cancel(), 1000);
    const outcomes = Promise.allSettled(rows);
    const { value, afterMs } = await outcomeOf(outcomes);
    expect(afterMs).toBe(1000);
    for (const row of value ?? [])
      expect(row).toMatchObject({ status: 'rejected', reason: expect.any(RowPostponed) });
  });
});
