import { describe, expect, test } from 'vitest';
import { createConnectionLimiter } from '../../functions/providers/connection-limiter.ts';

const after = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** A fetch that counts who waits for headers; the body takes longer than they do. */
function meteredFetch(headersMs: number) {
  const meter = { waiting: 0, most: 0 };
  const fetcher = async (_url: unknown, init?: RequestInit): Promise<Response> => {
    meter.waiting += 1;
    meter.most = Math.max(meter.most, meter.waiting);
    await Promise.race([
      after(headersMs),
      new Promise((_, reject) => {
        init?.signal?.addEventListener('abort', () => reject(init.signal?.reason as Error));
      }),
    ]).finally(() => {
      meter.waiting -= 1;
    });
    return new Response('ok');
  };
  return { meter, fetcher: fetcher as typeof fetch };
}

describe('the six connections of an invocation', () => {
  test('never more than six wait for headers, and all get through', async () => {
    const { meter, fetcher } = meteredFetch(5);
    const slots = createConnectionLimiter(6, fetcher);
    const answers = await Promise.all(
      Array.from({ length: 40 }, () =>
        slots.fetch('http://x', {}, 1000, (response) => response.text()),
      ),
    );
    expect(answers).toHaveLength(40);
    expect(meter.most).toBe(6);
  });

  test('what is urgent goes before what waited longer', async () => {
    const { fetcher } = meteredFetch(1);
    const slots = createConnectionLimiter(1, fetcher);
    const order: string[] = [];
    const ask = (name: string, urgent: boolean) =>
      slots.fetch(
        'http://x',
        {},
        1000,
        async () => void order.push(name),
        () => undefined,
        urgent,
      );
    await Promise.all([
      ask('first', false),
      ask('second', false),
      ask('third', false),
      ask('letter', true),
    ]);
    expect(order).toEqual(['first', 'letter', 'second', 'third']);
  });

  test('a slot is free at the headers, not at the end of the body', async () => {
    const { fetcher } = meteredFetch(1);
    const slots = createConnectionLimiter(1, fetcher);
    const order: string[] = [];
    const slow = slots.fetch('http://slow', {}, 1000, async () => {
      await after(50);
      order.push('slow body');
    });
    await after(10);
    await slots.fetch('http://quick', {}, 1000, async () => {
      order.push('quick body');
    });
    await slow;
    expect(order).toEqual(['quick body', 'slow body']);
  });

  test('the timeout starts with the slot, not with the waiting for it', async () => {
    const { fetcher } = meteredFetch(30);
    const slots = createConnectionLimiter(1, fetcher);
    const all = Array.from({ length: 4 }, () => slots.fetch('http://x', {}, 60, (r) => r.text()));
    expect(await Promise.all(all)).toEqual(['ok', 'ok', 'ok', 'ok']);
  });

  test('a request that takes too long frees its slot', async () => {
    const { fetcher } = meteredFetch(10_000);
    const slots = createConnectionLimiter(1, fetcher);
    await expect(slots.fetch('http://x', {}, 10, (r) => r.text())).rejects.toThrow(/timed out/);
    const quick = createConnectionLimiter(1, meteredFetch(1).fetcher);
    expect(await quick.fetch('http://x', {}, 10, (r) => r.text())).toBe('ok');
    await expect(slots.fetch('http://x', {}, 10, (r) => r.text())).rejects.toThrow(/timed out/);
  });

  test('the timeout covers the body as well', async () => {
    const stuck = async (_url: unknown, init?: RequestInit) =>
      new Response(
        new ReadableStream({
          start(controller) {
            init?.signal?.addEventListener('abort', () => controller.error(init.signal?.reason));
          },
        }),
      );
    const slots = createConnectionLimiter(1, stuck);
    await expect(slots.fetch('http://x', {}, 20, (r) => r.text())).rejects.toThrow(/timed out/);
  });

  test('other calls, such as those to Redis, take their turns in the same six', async () => {
    const { meter, fetcher } = meteredFetch(5);
    const slots = createConnectionLimiter(6, fetcher);
    let working = 0;
    let most = 0;
    const other = () =>
      slots.run(async () => {
        working += 1;
        most = Math.max(most, working + meter.waiting);
        await after(3);
        working -= 1;
        return 'done';
      });
    const calls = Array.from({ length: 30 }, (_, i) =>
      i % 2 ? other() : slots.fetch('http://x', {}, 1000, (r) => r.text()),
    );
    expect(new Set(await Promise.all(calls))).toEqual(new Set(['done', 'ok']));
    expect(most).toBe(6);
  });

  test('a call that throws gives its slot back', async () => {
    const slots = createConnectionLimiter(1);
    await expect(slots.run(() => Promise.reject(new Error('down')))).rejects.toThrow('down');
    expect(await slots.run(() => Promise.resolve('up'))).toBe('up');
  });

  test('whoever gives up leaves the queue, and the slot goes to the next', async () => {
    const { fetcher } = meteredFetch(20);
    const slots = createConnectionLimiter(1, fetcher);
    const abort = new AbortController();
    const init = { signal: abort.signal };
    const first = slots.fetch('http://first', {}, 1000, (r) => r.text());
    const second = slots.fetch('http://second', init, 1000, (r) => r.text());
    const third = slots.fetch('http://third', {}, 1000, (r) => r.text());
    abort.abort(new Error('cancelled'));
    await expect(second).rejects.toThrow('cancelled');
    expect(await Promise.all([first, third])).toEqual(['ok', 'ok']);
    await expect(slots.fetch('http://late', init, 1000, (r) => r.text())).rejects.toThrow(
      'cancelled',
    );
  });

  test('a request on its way is cut when its caller gives up', async () => {
    const { meter, fetcher } = meteredFetch(10_000);
    const slots = createConnectionLimiter(1, fetcher);
    const abort = new AbortController();
    const call = slots.fetch('http://x', { signal: abort.signal }, 5000, (r) => r.text());
    await after(1);
    abort.abort(new Error('cancelled'));
    await expect(call).rejects.toThrow('cancelled');
    expect(meter.waiting).toBe(0);
  });
});
