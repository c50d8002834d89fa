import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startRedis, type Redis } from '../../local/redis/index.ts';
import { findServer } from '../../local/redis/server/process.ts';

type Answer = { result?: unknown; error?: string };

const cases = readFileSync(new URL('./redis-cases.txt', import.meta.url), 'utf8')
  .split('\n')
  .filter((line) => line && !line.startsWith('#'))
  .map((line) => line.split('\t').map((part) => JSON.parse(part) as unknown))
  .map(([command, answer]) => ({ command, answer: answer as Answer }));

const server = await findServer();

/** Redis words its errors anew between versions; their code is what clients look at. */
const codeOnly = ({ error, ...rest }: Answer): Answer =>
  error === undefined ? rest : { error: error.split(' ')[0] ?? '' };

async function answers(redis: Redis): Promise<Answer[]> {
  const all: Answer[] = [];
  for (const { command } of cases) {
    const response = await fetch(redis.url, {
      method: 'POST',
      headers: { authorization: 'Bearer t' },
      body: JSON.stringify(command),
    });
    const answer = (await response.json()) as Answer;
    expect(response.status, JSON.stringify(command)).toBe('error' in answer ? 400 : 200);
    all.push(answer);
  }
  return all;
}

describe.each(['off', server ?? 'none'])('recorded answers (redis-server: %s)', (redisServer) => {
  let redis: Redis;
  beforeAll(async () => {
    if (redisServer !== 'none') redis = await startRedis({ token: 't', redisServer });
  });
  afterAll(() => redis?.close());

  it.skipIf(redisServer === 'none')(`holds for ${cases.length} commands`, async () => {
    const given = await answers(redis);
    const exact = redis.backend === 'built-in';
    for (const [index, { command, answer }] of cases.entries()) {
      const is = given[index] ?? {};
      const [actual, expected] = exact ? [is, answer] : [codeOnly(is), codeOnly(answer)];
      expect(actual, JSON.stringify(command)).toEqual(expected);
    }
  });
});
