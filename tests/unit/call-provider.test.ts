import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import {
  ProviderAway,
  ProviderError,
  RowPostponed,
} from '../../functions/providers/errors.pure.ts';
import { retryAfterMs } from '../../functions/providers/http.ts';
import type { Message } from '../../functions/providers/model.ts';
import type { Research } from '../../functions/providers/research.ts';
import { createConnectionLimiter } from '../../functions/providers/connection-limiter.ts';
import { deadlineIn, rowCtx, rowToolsIn, streamed } from '../support/rows.ts';

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

type Times = { startMs?: number; stopMs?: number };
type Probed = (url: string, signal: AbortSignal) => Response | Promise<Response>;
const answers: Probed = (url) => (url.endsWith('/search') ? found() : streamed('ok'));
const failsWith = (status: number) => () => new Response('no', { status });

/**
 * Tools whose provider answers rows as told, and a probe as well as can be unless told. When each call of a row
 * came, in ms from the start.
 */
function rig(answer: Answer, { startMs = 20_000, stopMs = 28_000 }: Times = {}, probed = answers) {
  const calls: number[] = [];
  const probes: number[] = [];
  const from = Date.now();
  const fetcher = async (url: unknown, init?: RequestInit) => {
    const isProbe = /Wikipedia|the word ok/.test(JSON.stringify(init?.body));
    (isProbe ? probes : calls).push(Date.now() - from);
    const signal = init?.signal as AbortSignal;
    return isProbe ? probed(String(url), signal) : answer(calls.length, signal);
  };
  const deadline = deadlineIn(startMs, stopMs);
  const opened: unknown[] = [];
  const db = {
    call: async (name: string, args: object) => {
      opened.push({ name, ...args });
      return true;
    },
    rows: async () => [],
  };
  const published: unknown[] = [];
  const qstash = { publishJSON: async ({ body }: { body: object }) => void published.push(body) };
  // One that is asked over a network would answer by another clock.
  const script = { exec: () => Promise.reject(new TypeError('no Redis')) };
  const redis = { createScript: () => script };
  const ctx = { ...rowCtx(), db: db as never, qstash: qstash as never, redis: redis as never };
  const { tools } = rowToolsIn(ctx, createConnectionLimiter(6, fetcher), deadline);
  const complete = async (messages: Message[]) => (await tools.complete(messages)).text;
  const search = async (query: Research) => (await tools.search(query)).summary;
  return { search, complete, calls, probes, opened, published, deadline, ctx };
}

const acme = { text: 'ACME', scope: 'company' } as const;
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
  ])(
    '%s three times is an error with a reason where others are answered',
    async (_, answer, message) => {
      const { search, calls } = rig(answer);
      expect((await outcomeOf(search(acme))).error).toEqual(
        new ProviderError(message, 'retryable'),
      );
      expect(calls).toHaveLength(3);
    },
  );

  test('a search that hangs has twelve seconds a try', async () => {
    const { search, calls } = rig(hang, { startMs: 60_000, stopMs: 90_000 });
    const { error, afterMs } = await outcomeOf(search(acme));
    expect(error).toEqual(new ProviderError('Search took too long', 'retryable'));
    expect(calls).toHaveLength(3);
    expect(afterMs).toBeGreaterThanOrEqual(36_000);
    expect(afterMs).toBeLessThanOrEqual(36_000 + 3000);
  });

  test('what would be refused again is asked once', async () => {
    const { search, calls, opened } = rig(failsWith(400));
    expect((await outcomeOf(search(acme))).error).toMatchObject({ message: 'Search answered 400' });
    expect(calls).toHaveLength(1);
    expect(opened).toEqual([]);
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
    expect((await outcomeOf(complete(asked))).value).toBe('Hello');
    expect(calls).toHaveLength(3);
  });
});

describe('a provider that is away', () => {
  const down = failsWith(503);

  test('is found out by a probe, opened for everybody, and fails no row', async () => {
    const { search, calls, probes, opened, published } = rig(down, {}, down);
    const rows = Array.from({ length: 20 }, (_, i) => search({ text: `c${i}`, scope: 'company' }));
    const { value } = await outcomeOf(Promise.allSettled(rows));
    for (const row of value ?? [])
      expect(row).toMatchObject({
        status: 'rejected',
        reason: { provider: 'search', reason: 'unavailable', waitsFor: ['search'] },
      });
    expect(probes).toHaveLength(1);
    // No more than three tries of each of those on their way when it was found out.
    expect(calls.length).toBeLessThan(3 * 20);
    expect(opened).toEqual([
      expect.objectContaining({ name: 'provider_open', p_name: 'search', p_reason: 'unavailable' }),
    ]);
    expect(published).toEqual([{ provider: 'search' }]);
  });

  test('an answer to what was sent before it went away says nothing for it', async () => {
    const slow = async (call: number) => {
      if (call > 1) return failsWith(503)();
      await new Promise((resolve) => setTimeout(resolve, 400));
      return found();
    };
    const { search } = rig(slow, {}, down);
    const before = search({ text: 'Anvils', scope: 'company' });
    const { error } = await outcomeOf(search(acme));
    expect(await before).toBe('ACME: makes anvils');
    expect(error).toMatchObject({ provider: 'search', reason: 'unavailable' });
  });

  test('nor does a probe that was made before it', async () => {
    let isDown = false;
    const probed: Probed = (...of) => (isDown ? down() : answers(...of));
    const { search } = rig(failsWith(503), {}, probed);
    expect((await outcomeOf(search(acme))).error).toBeInstanceOf(ProviderError);
    isDown = true;
    const { error } = await outcomeOf(search({ text: 'Anvils', scope: 'company' }));
    expect(error).toMatchObject({ provider: 'search', reason: 'unavailable' });
  });

  test('one that hangs is found out after the first try', async () => {
    const { search, calls } = rig(hang, {}, (_, signal) => hang(0, signal));
    const { error, afterMs } = await outcomeOf(search(acme));
    expect(error).toBeInstanceOf(ProviderAway);
    expect(calls).toHaveLength(1);
    expect(afterMs).toBeLessThanOrEqual(12_000 + 8000 + 1000);
  });

  test.each([401, 402, 403])(
    '%i, to the probe too, opens it: no row is to blame',
    async (status) => {
      const { complete, calls, probes, opened } = rig(failsWith(status), {}, failsWith(status));
      const { error } = await outcomeOf(complete(asked));
      expect(error).toMatchObject({ provider: 'llm', reason: 'refused' });
      expect([calls.length, probes.length]).toEqual([1, 1]);
      expect(opened).toMatchObject([{ p_name: 'llm', p_reason: 'refused' }]);
    },
  );

  test('a 403 to one row is its own trouble', async () => {
    const { complete, opened } = rig(failsWith(403));
    const { error } = await outcomeOf(complete(asked));
    expect(error).toMatchObject({ message: 'Model answered 403' });
    expect(opened).toEqual([]);
  });

  test.each([
    [400, '{"message":"Not enough credits"}'],
    [429, '{"error":{"code":"insufficient_quota"}}'],
  ])('so does a %i that says %s', async (status, text) => {
    const spent = () => new Response(text, { status });
    const { search } = rig(spent, {}, spent);
    expect((await outcomeOf(search(acme))).error).toMatchObject({ reason: 'refused' });
  });

  test('a 429 for want of money says nothing of the pace: once it is mended rows go on at once', async () => {
    const spent = () => new Response('{"error":{"code":"insufficient_quota"}}', { status: 429 });
    const { complete } = rig(async (call) => {
      await new Promise((resolve) => setTimeout(resolve, 20));
      return call <= 12 ? spent() : streamed('Hello');
    });
    const rows = Array.from({ length: 12 }, () => complete(asked));
    const { value, afterMs } = await outcomeOf(Promise.allSettled(rows));
    expect(value?.filter(({ status }) => status === 'fulfilled')).toHaveLength(12);
    expect(afterMs).toBeLessThan(1000);
  });

  test.each([401, 404])(
    '%i to rows under way while it is mended fails none of them',
    async (status) => {
      const { complete, probes } = rig((call) =>
        call <= 4 ? failsWith(status)() : streamed('Hello'),
      );
      const rows = Array.from({ length: 4 }, () => complete(asked));
      expect((await outcomeOf(Promise.all(rows))).value).toEqual(rows.map(() => 'Hello'));
      expect(probes.length).toBeGreaterThan(0);
    },
  );

  test('no word of a provider puts it off for more than a day', () => {
    expect(retryAfterMs('1795219216', 0)).toBe(86_400_000);
    expect(retryAfterMs('Fri, 31 Dec 9999 23:59:59 GMT', 0)).toBe(86_400_000);
  });

  test.each([400, 404])('%i on every call, the probe too, is refused', async (status) => {
    const { complete } = rig(failsWith(status), {}, failsWith(status));
    expect((await outcomeOf(complete(asked))).error).toMatchObject({ reason: 'refused' });
  });

  test('a probe that is over its limit blames nobody: the row comes again', async () => {
    const { search } = rig(down, {}, () => limited('2'));
    const { error } = await outcomeOf(search(acme));
    expect(error).toBeInstanceOf(RowPostponed);
    expect(error).toMatchObject({ inTurn: true });
  });

  test('what others were answered meanwhile shows whose trouble it is, without a probe', async () => {
    const slowly = async () => {
      await new Promise((resolve) => setTimeout(resolve, 500));
      return failsWith(400)();
    };
    const { search, probes } = rig((call) => (call === 1 ? slowly() : found()));
    const row = search({ text: 'ACME', scope: 'none' });
    row.catch(() => undefined);
    await vi.advanceTimersByTimeAsync(200);
    await outcomeOf(search({ text: 'Anvils', scope: 'none' }));
    expect((await outcomeOf(row)).error).toMatchObject({ message: 'Search answered 400' });
    expect(probes).toEqual([]);
  });
});

describe('429', () => {
  test('one refusal holds all rows of an invocation for as long as was asked', async () => {
    const { complete, calls, ctx } = rig(async (call) => {
      await new Promise((resolve) => setTimeout(resolve, 20));
      return call <= 6 ? limited('4') : streamed('Hello');
    });
    const rows = Array.from({ length: 20 }, () => complete(asked));
    expect((await outcomeOf(Promise.all(rows))).value).toEqual(rows.map(() => 'Hello'));
    const [first, later] = [calls.slice(0, 6), calls.slice(6)];
    expect(first).toEqual([0, 0, 0, 0, 0, 0]);
    // Those that waited for a slot are held too.
    expect(later).toHaveLength(20);
    expect(Math.min(...later)).toBeGreaterThanOrEqual(4000);
    expect(Math.max(...later)).toBeLessThanOrEqual(4000 + 1000);
    expect(ctx.lines.filter(({ event }) => event === 'provider_limited')).toHaveLength(1);
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
      const { search, calls } = rig(() => limited(retryAfter));
      expect((await outcomeOf(search(acme))).error).toBeInstanceOf(RowPostponed);
      expect(calls.length).toBeGreaterThan(1);
      expect(calls.length).toBeLessThan(40);
    },
  );

  test('refusals are no tries: ten of them do no harm while there is time', async () => {
    const { search, calls } = rig((call) => (call <= 10 ? limited('1') : found()), {
      startMs: 600_000,
      stopMs: 700_000,
    });
    expect((await outcomeOf(search(acme))).value).toBe('ACME: makes anvils');
    expect(calls).toHaveLength(11);
  });

  test('who asks for a long pause is away for everybody until then', async () => {
    const { search, calls, opened } = rig(() => limited('30'));
    const { error, afterMs } = await outcomeOf(search(acme));
    expect(error).toMatchObject({ provider: 'search', reason: 'rate_limited' });
    expect((error as ProviderAway).untilMs).toBeGreaterThanOrEqual(Date.now() + 29_000);
    expect(afterMs).toBeLessThanOrEqual(100);
    expect(calls).toHaveLength(1);
    expect(opened).toMatchObject([{ p_name: 'search', p_reason: 'rate_limited' }]);
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
    const { complete } = rig(hang, { startMs: 3000, stopMs: 4000 });
    const { error, afterMs } = await outcomeOf(complete(asked));
    expect(error).toBeInstanceOf(RowPostponed);
    expect(afterMs).toBe(4000);
  });

  test('a model that hangs while others are answered is asked again, until there is no time', async () => {
    const { complete, calls } = rig(hang, { startMs: 60_000, stopMs: 90_000 });
    const { error } = await outcomeOf(complete(asked));
    expect(error).toEqual(new ProviderError('Model took too long', 'retryable'));
    expect(calls).toHaveLength(3);
  });

  test('a cancelled job stops what waits for a slot, for a retry and for the provider', async () => {
    const { complete, deadline } = rig((call, signal) =>
      call === 1 ? limited('10') : hang(call, signal),
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
