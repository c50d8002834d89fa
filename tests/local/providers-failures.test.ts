import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { startProviders, type Providers, type Stats } from '../../local/providers/index.ts';
import { SeededFailures } from '../../local/providers/seeded-failures.ts';
import { clientOf, prompt, quiet, until } from './providers-client.ts';

let providers: Providers;
const { set, search, complete } = clientOf(() => providers);

beforeAll(async () => {
  providers = await startProviders();
});
afterAll(() => providers.close());
beforeEach(async () => {
  providers.faults.clear();
  await set(quiet);
});

describe('failure words', () => {
  it('FAIL_LLM is a 500 and RATE_LLM a 429 that says when to come back', async () => {
    expect((await complete(prompt('FAIL_LLM'))).status).toBe(500);
    const limited = await complete(prompt('RATE_LLM'));
    expect([limited.status, limited.headers.get('retry-after')]).toEqual([429, '1']);
  });

  it('SLOW_LLM never answers and stops waiting when the client gives up', async () => {
    const before = providers.stats().llm;
    const client = new AbortController();
    const ask = expect(complete(prompt('SLOW_LLM'), 'k', client.signal)).rejects.toThrow();
    await until(() => providers.stats().llm.waiting === 1);
    client.abort();
    await ask;
    await until(() => providers.stats().llm.waiting === 0);
    const { statuses } = providers.stats().llm;
    expect(statuses['cut']).toBe((before.statuses['cut'] ?? 0) + 1);
  });

  it('SLOW_LLM stops waiting for a client that was gone before it began', async () => {
    const before = providers.stats().llm.statuses['cut'] ?? 0;
    providers.faults.add({ kind: 'latency', ms: 100 });
    const client = new AbortController();
    const ask = expect(complete(prompt('SLOW_LLM'), 'k', client.signal)).rejects.toThrow();
    await until(() => providers.stats().llm.waiting === 1);
    client.abort();
    await ask;
    await until(() => providers.stats().llm.waiting === 0);
    expect(providers.stats().llm.statuses['cut']).toBe(before + 1);
  });

  it('CUT_LLM breaks off in the middle, streamed or not', async () => {
    for (const stream of [true, false]) {
      const response = await complete(prompt('Company: Acme CUT_LLM', { stream }));
      expect(response.status).toBe(200);
      let seen = '';
      const read = async () => {
        const decoder = new TextDecoder();
        for await (const piece of response.body ?? []) seen += decoder.decode(piece);
      };
      await expect(read()).rejects.toThrow();
      expect(seen).toContain('Hello');
      expect(seen).not.toContain('[DONE]');
    }
  });
});

describe('settings', () => {
  it('applies latencies to headers and to the stream', async () => {
    await set({ searchLatencyMs: 80, llmFirstByteMs: 60, llmStreamMs: 100 });
    const timed = async (ask: () => Promise<Response>) => {
      const start = performance.now();
      const response = await ask();
      const headersMs = performance.now() - start;
      await response.text();
      return { headersMs, bodyMs: performance.now() - start };
    };
    // A timer may fire up to a millisecond early.
    expect((await timed(() => search({ q: 'x' }))).headersMs).toBeGreaterThan(78);
    const streamed = await timed(() => complete(prompt('x', { stream: true })));
    expect(streamed.headersMs).toBeGreaterThan(58);
    expect(streamed.bodyMs).toBeGreaterThan(150);
    expect((await timed(() => complete(prompt('x')))).headersMs).toBeGreaterThan(155);
  });

  it('refuses what it does not know and keeps what it had', async () => {
    for (const bad of [{ latency: 1 }, { failureRate: 2 }, { searchLatencyMs: '9' }, [], 7])
      expect((await set(bad)).status, JSON.stringify(bad)).toBe(422);
    for (const text of [
      '',
      'seed=1',
      'null',
      '"x"',
      '{"__proto__":{"seed":9}}',
      '{"toString":1}',
    ]) {
      const answer = await set(text);
      expect([text, answer.status]).toEqual([text, 422]);
      expect(await answer.json()).toEqual({ error: expect.stringMatching(/\w+/) });
    }
    for (const entry of [null, 7, {}, { kind: 'toString' }, { kind: 'error', match: '(' }])
      expect((await set({ seed: 9, script: [entry] })).status, JSON.stringify(entry)).toBe(422);
    const settings = await (await fetch(`${providers.url}/_local/settings`)).json();
    expect(settings).toMatchObject({ searchLatencyMs: 0, failureRate: 0, seed: 1, script: [] });
    expect(await (await search({ q: '__proto__' })).json()).toHaveProperty('organic');
    await expect(startProviders({ failureRate: -1 })).rejects.toThrow('failureRate');
  });

  it('fails at the given rate, alike in every run, and lets retries pass', () => {
    const rows = Array.from({ length: 1000 }, (_, i) => `row ${i}`);
    const run = (seed: number) => {
      const seeded = new SeededFailures();
      const turn = () => rows.map((row) => seeded.draw(seed, 0.3, row));
      return [turn(), turn()];
    };
    const [first = [], second] = run(7);
    const failed = first.filter((kind) => kind !== undefined).length;
    expect(failed).toBeGreaterThan(250);
    expect(failed).toBeLessThan(350);
    expect(new Set(first)).toEqual(new Set([undefined, 'error', 'rate-limit', 'hang']));
    expect(second).not.toEqual(first);
    expect(run(7)).toEqual([first, second]);
    expect(run(8)[0]).not.toEqual(first);
  });

  it('plays the failures that the seed draws', async () => {
    await set({ failureRate: 0.3, seed: 7 });
    await fetch(`${providers.url}/_local/stats?reset`);
    const seeded = new SeededFailures();
    const rows = Array.from({ length: 60 }, (_, i) => {
      const body = JSON.stringify({ q: `row ${i}` });
      return { body, kind: seeded.draw(7, 0.3, `search\0${body}`) };
    });
    const client = new AbortController();
    const hanging = rows
      .filter(({ kind }) => kind === 'hang')
      .map(({ body }) => expect(search(body, 'k', client.signal)).rejects.toThrow());
    expect(hanging.length).toBeGreaterThan(0);
    for (const { body, kind } of rows.filter((row) => row.kind !== 'hang')) {
      const status = kind === undefined ? 200 : kind === 'error' ? 500 : 429;
      expect((await search(body)).status, body).toBe(status);
    }
    await until(() => providers.stats().search.waiting === hanging.length);
    client.abort();
    await Promise.all(hanging);
    await until(() => providers.stats().search.waiting === 0);
  });

  it('limits requests per second with 429', async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    onTestFinished(() => void vi.useRealTimers());
    await set({ searchRatePerSecond: 5, llmRatePerSecond: 2 });
    // Serper sends no Retry-After; the completions of the profile plain do.
    const passed = async (ask: () => Promise<Response>, retryAfter: string | null) => {
      const all = await Promise.all(Array.from({ length: 12 }, ask));
      expect(all.find((r) => r.status === 429)?.headers.get('retry-after')).toBe(retryAfter);
      return all.filter((r) => r.status === 200).length;
    };
    expect(await passed(() => search({ q: 'x' }), null)).toBe(5);
    expect(await passed(() => complete(prompt('x')), '1')).toBe(2);
    vi.advanceTimersByTime(600);
    expect(await passed(() => search({ q: 'x' }), null)).toBe(3);
  });
});

describe('stats and faults', () => {
  it('counts requests and how many waited for headers at once', async () => {
    await fetch(`${providers.url}/_local/stats?reset`);
    await set({ script: [{ kind: 'hang', match: 'HANG' }], llmStreamMs: 200 });
    const client = new AbortController();
    const asks = [
      ...Array.from({ length: 4 }, () => search({ q: 'HANG' }, 'k', client.signal)),
      ...Array.from({ length: 3 }, () => complete(prompt('HANG'), 'k', client.signal)),
    ].map((ask) => expect(ask).rejects.toThrow());
    await until(() => providers.stats().total.waiting === 7);
    client.abort();
    await Promise.all(asks);
    await until(() => providers.stats().total.waiting === 0);
    const streamed = await complete(prompt('x', { stream: true }));
    // Headers are there, the body still streams: nobody waits any more.
    expect(providers.stats().total).toEqual({ requests: 8, waiting: 0, maxWaiting: 7 });
    await streamed.text();
    const stats = (await (await fetch(`${providers.url}/_local/stats?reset`)).json()) as Stats;
    const search4 = { requests: 4, waiting: 0, maxWaiting: 4, statuses: { cut: 4 } };
    expect(stats.search).toEqual(search4);
    expect(stats.llm).toEqual({
      ...search4,
      requests: 4,
      maxWaiting: 3,
      statuses: { cut: 3, 200: 1 },
    });
    expect(providers.stats().total.requests).toBe(0);
  });

  it('takes faults over HTTP: status, latency and drop', async () => {
    const fault = (body: object) =>
      fetch(`${providers.url}/_local/faults`, { method: 'POST', body: JSON.stringify(body) });
    await fault({ kind: 'status', status: 503, match: '/serper', times: 1 });
    expect((await search({ q: 'x' })).status).toBe(503);
    expect((await search({ q: 'x' })).status).toBe(200);
    await fault({ kind: 'drop', match: 'chat/completions', times: 1 });
    await expect(complete(prompt('x'))).rejects.toThrow();
    expect((await complete(prompt('x'))).status).toBe(200);
    await fault({ kind: 'latency', ms: 60, times: 1 });
    const start = performance.now();
    await search({ q: 'x' });
    expect(performance.now() - start).toBeGreaterThan(58);
    expect((await fault({ kind: 'explode' })).status).toBe(422);
  });
});
