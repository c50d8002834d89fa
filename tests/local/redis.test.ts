import { Redis as Client } from '@upstash/redis';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startRedis, type Redis } from '../../local/redis/index.ts';
import { findServer } from '../../local/redis/server/process.ts';

const server = await findServer();
const pause = (ms: number) =>
  new Promise((resolve) => {
    setTimeout(resolve, ms);
  });

describe.each(['off', ...(server ? [server] : [])])('gateway (redis-server: %s)', (redisServer) => {
  let redis: Redis;
  let client: Client;
  const post = (path: string, body: unknown, headers: Record<string, string> = {}) =>
    fetch(`${redis.url}${path}`, {
      method: 'POST',
      headers: { authorization: 'Bearer secret', ...headers },
      body: JSON.stringify(body),
    });
  const base64 = { 'upstash-encoding': 'base64' };
  const encoded = (text: string) => Buffer.from(text).toString('base64');

  beforeAll(async () => {
    redis = await startRedis({ token: 'secret', redisServer });
    client = new Client({ url: redis.url, token: 'secret', retry: false });
  });
  afterAll(() => redis.close());
  beforeEach(async () => {
    redis.faults.clear();
    await client.flushall();
  });

  it('carries what the SDK stores: text, unicode, bytes, numbers, objects', async () => {
    const awkward = ['', 'OK', 'plain', 'Zürich 東京 😀', '\u0000\u0001\u007F\u0080ÿ\r\n\t', '"{'];
    for (const value of awkward) {
      expect(await client.set('k', value)).toBe('OK');
      expect(await client.get('k')).toBe(value);
    }
    await client.set('number', 42);
    expect(await client.get('number')).toBe(42);
    await client.hset('hash', { a: 1, b: { deep: ['ü', null] } });
    expect(await client.hgetall('hash')).toEqual({ a: 1, b: { deep: ['ü', null] } });
    expect(await client.mget('number', 'absent')).toEqual([42, null]);
    await client.zadd('z', { score: 2, member: 'two' }, { score: 1, member: 'one' });
    expect(await client.zrange('z', 0, -1, { withScores: true })).toEqual(['one', 1, 'two', 2]);
    expect(await client.sadd('s', 'x', 'y', 'x')).toBe(2);
    expect(await client.rpush('l', 'a', 'b')).toBe(2);
    expect(await client.lrange('l', 0, -1)).toEqual(['a', 'b']);
    expect(await client.type('z')).toBe('zset');
    expect(await client.dbsize()).toBe(6);
  });

  it('encodes every string but OK, in arrays too, and nothing else', async () => {
    const ask = async (command: unknown[]) => (await post('/', command, base64)).json();
    expect(await ask(['SET', 'k', 'ü'])).toEqual({ result: 'OK' });
    expect(await ask(['GET', 'k'])).toEqual({ result: encoded('ü') });
    expect(await ask(['PING'])).toEqual({ result: encoded('PONG') });
    expect(await ask(['INCR', 'n'])).toEqual({ result: 1 });
    expect(await ask(['GET', 'none'])).toEqual({ result: null });
    expect(await ask(['MGET', 'k', 'none'])).toEqual({ result: [encoded('ü'), null] });
    const nested = "return {1, {redis.call('GET', 'k'), false}, string.char(255, 254)}";
    expect(await ask(['EVAL', nested, 0])).toEqual({ result: [1, [encoded('ü'), null], '//4='] });
    const plain = await post('/', ['GET', 'k']);
    expect(await plain.json()).toEqual({ result: 'ü' });
    expect(plain.headers.get('upstash-sync-token')).toMatch(/\S/);
  });

  it('refuses a wrong or missing token with 401', async () => {
    for (const authorization of ['Bearer wrong', 'Bearer ', '', 'secret']) {
      const response = await post('/', ['PING'], { authorization });
      expect(response.status).toBe(401);
      expect(await response.json()).toEqual({ error: 'WRONGPASS invalid or missing auth token' });
    }
    const stranger = new Client({ url: redis.url, token: 'wrong', retry: false });
    await expect(stranger.get('k')).rejects.toThrow('WRONGPASS');
  });

  it('never says OK to what it does not know', async () => {
    const unknown = await post('/', ['FROBNICATE', 'a', 'b']);
    expect(unknown.status).toBe(400);
    const { error } = (await unknown.json()) as { error: string };
    expect(error).toMatch(/^ERR unknown command 'FROBNICATE'/);
    for (const command of [
      ['SUBSCRIBE', 'c'],
      ['MULTI'],
      ['BLPOP', 'l', 0],
      ['CONFIG', 'GET', '*'],
    ])
      expect((await post('/', command)).status, String(command)).toBe(400);
    for (const body of [[], 'GET k', null, ['GET', null], ['GET', {}]])
      expect((await post('/', body)).status, JSON.stringify(body)).toBe(400);
    expect((await post('/set/foo/bar', [])).status).toBe(400);
    await client.set('k', 'text');
    await expect(client.lpush('k', 'x')).rejects.toThrow('WRONGTYPE');
    await expect(client.incr('k')).rejects.toThrow('ERR value is not an integer or out of range');
  });

  it('answers a pipeline command by command', async () => {
    const pipeline = client.pipeline().set('a', 1).incr('a').get('none').hset('h', { x: 'y' });
    expect(await pipeline.exec()).toEqual(['OK', 2, null, 1]);
    const commands = [['SET', 'b', 'x'], ['INCR', 'b'], ['NOPE'], ['GET', 'b']];
    const answers = (await (await post('/pipeline', commands)).json()) as object[];
    expect(answers).toEqual([
      { result: 'OK' },
      { error: 'ERR value is not an integer or out of range' },
      { error: expect.stringContaining("ERR unknown command 'NOPE'") as string },
      { result: 'x' },
    ]);
    expect((await post('/pipeline', [])).status).toBe(400);
    expect((await post('/pipeline', ['GET', 'a'])).status).toBe(400);
  });

  it('runs a transaction as one, and nothing of it when one command is wrong', async () => {
    const turn = () => client.multi().incr('n').get('n').incr('n').exec<[number, number, number]>();
    const turns = await Promise.all(Array.from({ length: 40 }, turn));
    for (const [first, seen, second] of turns) expect([seen, second]).toEqual([first, first + 1]);
    expect(await client.get('n')).toBe(80);

    const discarded = await post('/multi-exec', [['INCR', 'n'], ['NOPE'], ['INCR', 'n']]);
    expect(discarded.status).toBe(400);
    expect(await discarded.json()).toMatchObject({ error: expect.stringMatching(/^EXECABORT/) });
    expect(await client.get('n')).toBe(80);

    const failing = await post('/multi-exec', [
      ['INCR', 'n'],
      ['LPUSH', 'n', 'x'],
      ['INCR', 'n'],
    ]);
    expect(await failing.json()).toEqual([
      { result: 81 },
      { error: expect.stringMatching(/^WRONGTYPE/) as string },
      { result: 82 },
    ]);
  });

  it('keeps time: nx, xx, px, ex, keepttl and what follows from them', async () => {
    expect(await client.set('k', 'v', { nx: true, px: 120 })).toBe('OK');
    expect(await client.set('k', 'w', { nx: true })).toBeNull();
    const left = await client.pttl('k');
    expect(left).toBeGreaterThan(0);
    expect(left).toBeLessThanOrEqual(120);
    expect(await client.set('k', 'x', { xx: true, keepTtl: true })).toBe('OK');
    expect(await client.pttl('k')).toBeGreaterThan(0);
    await client.append('k', '!');
    expect(await client.pttl('k')).toBeGreaterThan(0);
    await pause(150);
    expect(await client.exists('k')).toBe(0);
    expect(await client.pttl('k')).toBe(-2);
    expect(await client.set('k', 'x', { xx: true })).toBeNull();
    const raw = await post('/', ['set', 'k', 'v', 'ex', 5, 'nx']);
    expect(await raw.json()).toEqual({ result: 'OK' });
    expect(await client.ttl('k')).toBe(5);
    expect(await client.set('k', 'plain')).toBe('OK');
    expect(await client.ttl('k')).toBe(-1);
    await client.hset('h', { a: 1 });
    await client.pexpire('h', 60);
    await pause(80);
    expect(await client.hget('h', 'a')).toBeNull();
    expect(await client.keys('*')).toEqual(['k']);
  });

  it('knows scripts by the hash that the client computed, shebang or not', async () => {
    const source = '#!lua flags=allow-key-locking\nreturn {KEYS[1], ARGV[1], 7.9}';
    const script = client.createScript<[string, string, number]>(source);
    const sha = await script.exec(['k'], ['v']).then(() => script.sha1);
    await client.scriptFlush();
    await expect(client.evalsha(sha, ['k'], ['v'])).rejects.toThrow(
      'NOSCRIPT No matching script. Please use EVAL.',
    );
    expect(await client.eval(source, ['k'], ['v'])).toEqual(['k', 'v', 7]);
    expect(await client.evalsha(sha, ['k'], ['w'])).toEqual(['k', 'w', 7]);
    await client.scriptFlush();
    expect(await client.scriptLoad(source)).toBe(sha);
    expect(await client.scriptExists(sha, 'abc')).toEqual([1, 0]);
    expect(await client.evalsha(sha, ['k'], ['x'])).toEqual(['k', 'x', 7]);
    await expect(client.eval('return 1 +', [], [])).rejects.toThrow('Error compiling script');
    await expect(client.eval("return redis.call('NOPE')", [], [])).rejects.toThrow('script');
  });

  it('scans every key that is there all along, though others come and go', async () => {
    const keep = Array.from({ length: 45 }, (_, i) => `keep:${i}`);
    await client.mset(
      Object.fromEntries(
        keep.flatMap((key, i) => [
          [key, i],
          [`x:${i}`, i],
        ]),
      ),
    );
    const found = new Set<string>();
    let cursor = '0';
    do {
      const [next, keys] = await client.scan(cursor, { match: 'keep:*', count: 7 });
      for (const key of keys) found.add(key);
      await client.del(`x:${found.size}`, `x:${found.size + 1}`);
      cursor = next;
    } while (cursor !== '0');
    expect([...found].sort()).toEqual(keep.toSorted());
  });

  it('tells its state and takes faults over HTTP', async () => {
    await client.set('k', 'v');
    const state = await (await fetch(`${redis.url}/_local/state`)).json();
    expect(state).toMatchObject({ keys: 1, backend: redis.backend });
    expect((state as { commands: number }).commands).toBeGreaterThan(1);
    const fault = { kind: 'status', status: 503, body: { error: 'ERR gone' }, times: 1 };
    await fetch(`${redis.url}/_local/faults`, { method: 'POST', body: JSON.stringify(fault) });
    await expect(client.get('k')).rejects.toThrow('ERR gone');
    expect(await client.get('k')).toBe('v');
    // With `retry: false` the SDK still tries twice.
    redis.faults.add({ kind: 'drop', times: 2 });
    await expect(client.get('k')).rejects.toThrow('fetch failed');
  });
});
