import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startProviders, type Providers, type Stats } from '../../local/providers/index.ts';
import { clientOf, prompt, quiet } from './providers-client.ts';

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
    const ask = complete(prompt('SLOW_LLM'), 'k', AbortSignal.timeout(150));
    await expect(ask).rejects.toThrow();
    await expect.poll(() => providers.stats().llm.waiting).toBe(0);
    const { statuses } = providers.stats().llm;
    expect(statuses['cut']).toBe((before.statuses['cut'] ?? 0) + 1);
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
    const settings = await (await fetch(`${providers.url}/_local/settings`)).json();
    expect(settings).toMatchObject({ searchLatencyMs: 0, failureRate: 0 });
    await expect(startProviders({ failureRate: -1 })).rejects.toThrow('failureRate');
  });

  it('fails at the given rate, alike in every run, and lets retries pass', async () => {
    await set({ failureRate: 0.3, seed: 7 });
    const run = async () => {
      await fetch(`${providers.url}/_local/stats?reset`);
      const ask = (i: number) =>
        search({ q: `row ${i}` }, 'k', AbortSignal.timeout(1000)).then(
          (response) => response.status,
          () => 0,
        );
      const rows = Array.from({ length: 100 }, (_, i) => i);
      const first = await Promise.all(rows.map(ask));
      const second = await Promise.all(rows.map(ask));
      return { first, second };
    };
    const { first, second } = await run();
    const failed = first.filter((status) => status !== 200).length;
    expect(failed).toBeGreaterThan(15);
    expect(failed).toBeLessThan(45);
    expect(new Set(first)).toEqual(new Set([0, 200, 429, 500]));
    expect(second).not.toEqual(first);
    expect(await run()).toEqual({ first, second });
    await set({ seed: 8 });
    expect((await run()).first).not.toEqual(first);
  });

  it('limits requests per second with 429', async () => {
    await set({ searchRatePerSecond: 5, llmRatePerSecond: 2 });
    // Serper sends no Retry-After; the completions of the profile plain do.
    const statuses = async (ask: () => Promise<Response>, retryAfter: string | null) => {
      const all = await Promise.all(Array.from({ length: 12 }, ask));
      expect(all.find((r) => r.status === 429)?.headers.get('retry-after')).toBe(retryAfter);
      return all.filter((r) => r.status === 200).length;
    };
    expect(await statuses(() => search({ q: 'x' }), null)).toBeLessThanOrEqual(6);
    expect(await statuses(() => complete(prompt('x')), '1')).toBeLessThanOrEqual(3);
    await new Promise((resolve) => {
      setTimeout(resolve, 600);
    });
    expect((await search({ q: 'x' })).status).toBe(200);
  });
});

describe('stats and faults', () => {
  it('counts requests and how many waited for headers at once', async () => {
    await set({ latencyMs: 50, llmStreamMs: 200 });
    await fetch(`${providers.url}/_local/stats?reset`);
    const asks = [
      ...Array.from({ length: 4 }, () => search({ q: 'x' })),
      ...Array.from({ length: 3 }, () => complete(prompt('x', { stream: true }))),
    ];
    const responses = await Promise.all(asks);
    // Headers are there, bodies still stream: nobody waits any more.
    expect(providers.stats().total).toEqual({ requests: 7, waiting: 0, maxWaiting: 7 });
    await Promise.all(responses.map((response) => response.text()));
    const stats = (await (await fetch(`${providers.url}/_local/stats?reset`)).json()) as Stats;
    expect(stats.search).toEqual({
      requests: 4,
      waiting: 0,
      maxWaiting: 4,
      statuses: { 200: 4 },
    });
    expect(stats.llm.maxWaiting).toBe(3);
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
