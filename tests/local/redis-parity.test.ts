import { readFileSync } from 'node:fs';
import type { Redis as Client } from '@upstash/redis';
import { afterAll, beforeAll, expect, it, onTestFinished, vi } from 'vitest';
import { createRateLimiter } from '../../functions/http/rate-limit.ts';
import { createSharedRateLimiter } from '../../functions/providers/shared-rate-limiter.ts';
import type { SharedRedis } from '../../functions/providers/shared-redis.ts';
import { startRedis, type Redis } from '../../local/redis/index.ts';
import { askRedisServer, redisServerPath } from '../support/redis-server.ts';

type Answer = { result?: unknown; error?: string };

const text = readFileSync(new URL('./redis-cases.txt', import.meta.url), 'utf8');
const recordedVersion = /redis-server (\S+)/.exec(text)?.[1];
const cases = text
  .split('\n')
  .filter((line) => line && !line.startsWith('#'))
  .map((line) => line.split('\t').map((part) => JSON.parse(part) as unknown))
  .map(([command, answer]) => ({ command: command as string[], answer: answer as Answer }));

let redis: Redis;
beforeAll(async () => {
  redis = await startRedis({ token: 't' });
});
afterAll(() => redis.close());

async function ask(command: string[]): Promise<{ status: number; answer: Answer }> {
  const headers = { authorization: 'Bearer t' };
  const body = JSON.stringify(command);
  const response = await fetch(redis.url, { method: 'POST', headers, body });
  return { status: response.status, answer: (await response.json()) as Answer };
}

const answerOf = (reply: unknown): Answer =>
  reply instanceof Error ? { error: reply.message } : { result: reply };

/** What the scripts of the product's rate limit and turns are asked, and what the stand-in answers. */
async function askAsProduct(): Promise<{ command: string[]; answer: Answer }[]> {
  const asked: { command: string[]; answer: Answer }[] = [];
  const run = async (script: string, keys: string[], args: unknown[]) => {
    const command = ['EVAL', script, String(keys.length), ...keys, ...args.map(String)];
    const { answer } = await ask(command);
    asked.push({ command, answer });
    return answer.result;
  };
  const store = {
    evalsha: () => Promise.reject(new Error('NOSCRIPT')),
    eval: run,
    createScript: (script: string) => ({
      exec: (keys: string[], args: string[]) => run(script, keys, args),
    }),
  } as unknown as Client;
  const limit = createRateLimiter({ redis: store, perMinute: 2 });
  await Promise.allSettled([limit('caller'), limit('caller'), limit('caller')]);
  const shared: SharedRedis = { ask: (work) => work(store) };
  const provider = { provider: 'llm', limits: { requestsPerSecond: 3 }, profile: 'plain' as const };
  const rest = { parallelInvocations: 2, now: () => 0, onLimited: () => {} };
  const deadline = { startUntil: 9000, stopAt: 9000, signal: new AbortController().signal };
  await createSharedRateLimiter({ ...provider, ...rest, shared, deadline }).turn(0);
  return asked;
}

it(`answers ${cases.length} commands as a redis-server did`, async () => {
  // However long it takes, no second passes between setting a time and asking for it.
  vi.useFakeTimers({ toFake: ['Date'] });
  onTestFinished(() => void vi.useRealTimers());
  for (const { command, answer } of cases) {
    const given = await ask(command);
    expect(given.answer, JSON.stringify(command)).toEqual(answer);
    expect(given.status, JSON.stringify(command)).toBe('error' in answer ? 400 : 200);
  }
});

/** Redis words its errors anew between versions; their code is what clients look at. */
const codeOnly = ({ error, ...rest }: Answer): Answer =>
  error === undefined ? rest : { error: error.split(' ')[0] ?? '' };

// Only where there is one: everybody else has its recorded answers.
if (redisServerPath) {
  const server = redisServerPath;

  it('the redis-server on PATH says what was recorded', async () => {
    const commands = cases.map(({ command }) => command);
    const { version, replies } = await askRedisServer(server, commands);
    const shown = version === recordedVersion ? (answer: Answer) => answer : codeOnly;
    for (const [index, { command, answer }] of cases.entries())
      expect(shown(answerOf(replies[index])), JSON.stringify(command)).toEqual(shown(answer));
  });

  it("the product's own scripts mean the same to both", async () => {
    const asked = await askAsProduct();
    expect(asked.map(({ command }) => command[0])).toEqual(Array(4).fill('EVAL'));
    // Redis refuses Upstash's flag.
    const plain = asked.map(({ command }) =>
      command.map((word) => word.replace(/^#!lua[^\n]*/, '')),
    );
    const { replies } = await askRedisServer(server, plain);
    expect(asked.map(({ answer }) => answer)).toEqual(replies.map(answerOf));
  });
}
