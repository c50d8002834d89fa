import type { Redis } from '@upstash/redis';
import {
  createConnectionLimiter,
  type ConnectionLimiter,
} from '../../../functions/providers/connection-limiter.ts';
import type { Deadline } from '../../../functions/providers/deadline.ts';
import { ProviderAway, RowPostponed, TurnLost } from '../../../functions/providers/errors.pure.ts';
import type { RateLimiter, SetLimits } from '../../../functions/providers/rate-limiter.ts';
import { createSharedRateLimiter } from '../../../functions/providers/shared-rate-limiter.ts';
import { createSharedRedis } from '../../../functions/providers/shared-redis.ts';
import { Store } from '../../../local/redis/store.ts';
import { ReplyError } from '../../../local/redis/reply.ts';
import { vi } from 'vitest';
import { createVirtualTime } from '../virtual-time.ts';
import { createLimit, type LimitedProvider } from './limited-provider.ts';

export type Simulation = {
  search?: LimitedProvider;
  model?: LimitedProvider;
  setSearch?: SetLimits;
  setModel?: SetLimits;
  rows: number;
  rowsPerChunk?: number;
  invocations?: number;
  holdMs?: number;
  seed?: number;
  noRedis?: boolean;
  tokensPerCall?: number;
  maxTokens?: number;
  refusalMs?: number;
};

type Played = ReturnType<typeof play>;

function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** A provider in virtual time. */
function play(provider: LimitedProvider | undefined, now: () => number, phaseMs: number) {
  const from = now() - phaseMs;
  const requests = provider && createLimit(provider.kind, provider.requests, provider.windowMs);
  const tokens = provider?.tokens ? createLimit(provider.kind, provider.tokens, 60_000) : undefined;
  const stats = {
    ok: 0,
    refused: 0,
    tokens: 0,
    firstAt: -1,
    lastAt: 0,
    perSecond: [] as [number, number][],
    hist: [] as number[],
    firstRefusal: 0,
  };
  const headers = (at: number): Record<string, string> => {
    if (!provider?.headers || !requests) return {};
    const said: Record<string, string> = {};
    const say = (unit: string, limit: ReturnType<typeof createLimit>) => {
      const left = limit.look(at);
      said[`x-ratelimit-limit-${unit}`] = String(limit.limit());
      said[`x-ratelimit-remaining-${unit}`] = String(Math.max(0, Math.floor(left)));
      said[`x-ratelimit-reset-${unit}`] =
        `${(((limit.limit() - left) / limit.limit()) * 60).toFixed(2)}s`;
    };
    if (provider.headers === 'openai') say('requests', requests);
    if (tokens) say('tokens', tokens);
    return said;
  };
  return {
    stats,
    headers: () => headers(now() - from),
    giveBack: (amount: number) => tokens?.take(now() - from, -amount),
    admit: (asked: number): Response | undefined => {
      const at = now() - from;
      if (stats.firstAt < 0) stats.firstAt = at;
      stats.lastAt = at;
      const change = provider?.change;
      if (change && at - phaseMs > change.at) requests?.change(change.requests);
      const short = [
        { limit: requests, amount: 1 },
        { limit: tokens, amount: asked },
      ].find(({ limit, amount }) => limit && limit.look(at) < amount);
      const second = Math.floor((at - phaseMs) / 1000);
      if (short && stats.refused === 0) stats.firstRefusal = at;
      if (stats.refused < 200)
        stats.hist[Math.floor(at / 10)] =
          (stats.hist[Math.floor(at / 10)] ?? 0) + (short ? 1000 : 1);
      const row = (stats.perSecond[second] ??= [0, 0]);
      row[short ? 1 : 0] += 1;
      if (!short) {
        requests?.take(at, 1);
        tokens?.take(at, asked);
        stats.ok += 1;
        stats.tokens += asked;
        return undefined;
      }
      stats.refused += 1;
      if (provider?.refusedCount) requests?.take(at, 1);
      const said = headers(at);
      if (provider?.retryAfter)
        said['retry-after'] = String(
          Math.max(1, Math.ceil((short.limit?.waitMs(at, short.amount) ?? 0) / 1000)),
        );
      return new Response(null, { status: 429, headers: said });
    },
    used: (): number => {
      const byRequests = requests ? stats.ok / requests.allowed(stats.firstAt, stats.lastAt) : 0;
      const byTokens = tokens ? stats.tokens / tokens.allowed(stats.firstAt, stats.lastAt) : 0;
      return Math.max(byRequests, byTokens);
    },
  };
}

let stores: Promise<Store> | undefined;

export async function simulate(simulation: Simulation) {
  const { seed = 1, rows, rowsPerChunk = 20, invocations = 100, holdMs = 90_000 } = simulation;
  const store = await (stores ??= Store.start());
  store.execute(['FLUSHALL']);
  const time = createVirtualTime(Date.UTC(2026, 10, 22));
  const draw = random(seed);
  vi.spyOn(Math, 'random').mockImplementation(draw);
  try {
    const { now, sleep } = time;
    const commands = { search: 0, model: 0 };
    const redis = {
      createScript: (script: string) => ({
        exec: async ([key]: [string], args: string[]) => {
          if (simulation.noRedis) throw new Error('no Redis');
          commands[key.endsWith('search') ? 'search' : 'model'] += 1;
          await sleep(1 + draw());
          const reply = store.execute(['EVAL', script, '1', key, ...args]);
          if (reply instanceof ReplyError) throw new Error(reply.message);
          await sleep(1 + draw());
          return reply;
        },
      }),
    } as unknown as Redis;
    const search = play(simulation.search, now, draw() * 60_000);
    const model = play(simulation.model, now, draw() * 60_000);
    const { tokensPerCall = 250, maxTokens = 300, refusalMs = 5 } = simulation;
    const counts = simulation.model?.headers === 'groq' ? tokensPerCall : maxTokens;
    const fetcher = (async (url: string) => {
      const provider = url === 'search' ? search : model;
      await sleep(2 + 4 * draw());
      const refused = provider.admit(url === 'search' ? 0 : maxTokens);
      if (refused) {
        await sleep(refusalMs);
        return refused;
      }
      if (url === 'model' && counts < maxTokens) model.giveBack(maxTokens - counts);
      await sleep(url === 'search' ? 1400 + 200 * draw() : 250 + 100 * draw());
      return new Response(null, { headers: provider.headers() });
    }) as unknown as typeof fetch;

    let failed = 0;
    let errors: unknown;
    const doneAt: number[] = [];
    const firstAt = new Map<number, number>();
    const waits: number[] = [];
    const call = async (
      limiter: RateLimiter,
      slots: ConnectionLimiter,
      deadline: Deadline,
      url: string,
      tokens: number,
    ): Promise<void> => {
      for (;;) {
        const turn = await limiter.turn(tokens);
        try {
          const status = await slots.fetch(
            url,
            { signal: deadline.signal },
            30_000,
            async (response) => {
              const { headers, status } = response;
              if (status === 429) {
                const retryAfter = headers.get('retry-after');
                const retryAfterMs = retryAfter === null ? undefined : Number(retryAfter) * 1000;
                limiter.refused(turn, { retryAfterMs, headers });
              } else limiter.succeeded(turn, { headers });
              return status;
            },
            () => limiter.confirm(turn),
          );
          if (status !== 200) continue;
          if (url === 'model') {
            await sleep(1000);
            limiter.succeeded(turn, { tokens: tokensPerCall });
          }
          return;
        } catch (error) {
          if (!(error instanceof TurnLost)) throw error;
        }
      }
    };
    let deliveries = 0;
    type Row = { searched: boolean; since: number; chunk: number };
    const deliver = async (chunk: Row[]): Promise<{ left: Row[]; waitMs: number }> => {
      deliveries += 1;
      const startUntil = now() + holdMs;
      const deadline = {
        startUntil,
        stopAt: startUntil + 10_000,
        signal: new AbortController().signal,
      };
      const slots = createConnectionLimiter(6, fetcher);
      const shared = createSharedRedis(
        {
          redis,
          log: (event, f) => {
            if (!simulation.noRedis) errors ??= new Error(event + JSON.stringify(f));
          },
        },
        slots,
      );
      const common = { parallelInvocations: invocations, shared, deadline, now };
      const onLimited = () => {};
      const searching = createSharedRateLimiter({
        ...common,
        provider: 'search',
        limits: simulation.setSearch ?? {},
        profile: 'plain',
        onLimited,
      });
      const asking = createSharedRateLimiter({
        ...common,
        provider: 'model',
        limits: simulation.setModel ?? {},
        onLimited,
        profile: simulation.model?.headers ?? 'plain',
      });
      let waitMs = 0;
      const left: Row[] = [];
      await Promise.all(
        chunk.map(async (row) => {
          try {
            if (!row.searched) await call(searching, slots, deadline, 'search', 0);
            row.searched = true;
            await call(asking, slots, deadline, 'model', maxTokens);
            doneAt.push(now());
            if (!firstAt.has(row.chunk)) firstAt.set(row.chunk, now());
            waits.push(now() - row.since);
          } catch (error) {
            if (error instanceof RowPostponed) waitMs = Math.max(waitMs, error.retryAfterMs);
            else if (error instanceof ProviderAway)
              waitMs = Math.max(waitMs, (error.untilMs ?? 0) - now());
            else {
              failed += 1;
              errors ??= error;
              return;
            }
            left.push(row);
          }
        }),
      );
      return { left, waitMs };
    };
    const startedAt = now();
    const queue = Array.from({ length: Math.ceil(rows / rowsPerChunk) }, (_, i) =>
      Array.from({ length: Math.min(rowsPerChunk, rows - i * rowsPerChunk) }, () => ({
        searched: false,
        chunk: i,
        since: startedAt,
      })),
    );
    let open = queue.length;
    const worker = async (): Promise<void> => {
      await sleep(draw() * 800);
      while (open > 0) {
        const chunk = queue.shift();
        if (!chunk) {
          await sleep(500);
          continue;
        }
        const { left, waitMs } = await deliver(chunk);
        if (left.length === 0) {
          open -= 1;
          await sleep(50 + 100 * draw());
        } else
          void sleep(Math.ceil(waitMs / 1000) * 1000 + 100 * draw()).then(() => queue.push(left));
      }
    };
    await time.run(Promise.all(Array.from({ length: invocations }, worker)));
    if (errors) throw errors;
    const of = (name: 'search' | 'model', { stats, used }: Played) => ({
      ok: stats.ok,
      refused: stats.refused,
      refusedShare: stats.refused / (stats.ok + stats.refused),
      used: used(),
      commands: commands[name],
      perSecond: stats.perSecond,
      hist: stats.hist.slice(
        Math.floor(stats.firstRefusal / 10) - 20,
        Math.floor(stats.firstRefusal / 10) + 60,
      ),
    });
    return {
      seconds: (now() - startedAt) / 1000,
      failed,
      done: doneAt.length,
      deliveries,
      /** s until the last chunk had its first row. */
      slowestStart: (Math.max(...firstAt.values()) - startedAt) / 1000,
      longestWait: Math.max(...waits) / 1000,
      search: of('search', search),
      model: of('model', model),
    };
  } finally {
    time.restore();
  }
}
