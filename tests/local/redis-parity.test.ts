import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
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

it(`answers ${cases.length} commands as a redis-server did`, async () => {
  for (const { command, answer } of cases) {
    const response = await fetch(redis.url, {
      method: 'POST',
      headers: { authorization: 'Bearer t' },
      body: JSON.stringify(command),
    });
    expect(await response.json(), JSON.stringify(command)).toEqual(answer);
    expect(response.status, JSON.stringify(command)).toBe('error' in answer ? 400 : 200);
  }
});

/** Redis words its errors anew between versions; their code is what clients look at. */
const codeOnly = ({ error, ...rest }: Answer): Answer =>
  error === undefined ? rest : { error: error.split(' ')[0] ?? '' };

if (redisServerPath)
  it('the redis-server on PATH says what was recorded', async () => {
    const commands = cases.map(({ command }) => command);
    const { version, replies } = await askRedisServer(redisServerPath ?? '', commands);
    const shown = version === recordedVersion ? (answer: Answer) => answer : codeOnly;
    for (const [index, { command, answer }] of cases.entries()) {
      const reply = replies[index];
      const is = reply instanceof Error ? { error: reply.message } : { result: reply };
      expect(shown(is), JSON.stringify(command)).toEqual(shown(answer));
    }
  });
