import { Redis as Client } from '@upstash/redis';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { startRedis, type Redis } from '../../local/redis/index.ts';

/** Moves the clock, which tests and stand-in share. */
const pass = (ms: number) => vi.setSystemTime(Date.now() + ms);

describe('gateway', () => {
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
    redis = await startRedis({ token: 'secret' });
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
    expect(await client.sadd('s', 'x', 'y', 'x')).toBe(2);
    expect(await client.dbsize()).toBe(4);
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
    const asked = (token: string) =>
      fetch(`${redis.url}/?_token=${token}`, { method: 'POST', body: '["PING"]' });
    expect((await asked('wrong')).status).toBe(401);
    expect((await asked('secret')).status).toBe(200);
    const stranger = new Client({ url: redis.url, token: 'wrong', retry: false });
    await expect(stranger.get('k')).rejects.toThrow('WRONGPASS');
  });

  it('refuses what it does not play, and says so', async () => {
    const refused = async (command: unknown, error: string) => {
      const response = await post('/', command);
      expect(await response.json(), JSON.stringify(command)).toEqual({ error });
      expect(response.status).toBe(400);
    };
    for (const name of ['FROBNICATE', 'SUBSCRIBE', 'MULTI', 'BLPOP', 'ZADD', 'constructor'])
      await refused([name, 'a'], `ERR the stand-in does not play '${name}'`);
    await refused(['SCRIPT', 'KILL'], "ERR the stand-in does not play 'SCRIPT KILL'");
    await refused([], 'ERR empty command');
    await refused(['GET', null], 'ERR null args are not supported');
    for (const body of ['GET k', null, ['GET', {}], [['GET', 'k']]])
      await refused(body, 'ERR failed to parse command');
    await refused(['SET', 'k', 'x'.repeat(10_485_760)], 'ERR max request size exceeded');
    const many = Array.from({ length: 200_000 }, (_, i) => String(i));
    await refused(['DEL', ...many], 'ERR the stand-in plays no more than 50000 arguments');
    expect(await client.sadd('many', '', ...many.slice(0, 49_000))).toBe(49_001);
    expect(await client.set('k', 'x'.repeat(10_000_000))).toBe('OK');
    for (const [name, source] of [
      ['cjson', 'return cjson.encode({})'],
      ['setresp', 'return redis.setresp(3)'],
    ])
      await expect(client.eval(`\n${source}`, [], [])).rejects.toThrow(
        `ERR user_script:2: the stand-in does not play '${name}' in scripts`,
      );
  });

  it('answers 405 to other methods, 400 to commands in the path and to other formats', async () => {
    const headers = { authorization: 'Bearer secret' };
    const status = async (path: string, init: RequestInit) =>
      (await fetch(`${redis.url}${path}`, { headers, ...init })).status;
    expect(await status('/', { method: 'DELETE' })).toBe(405);
    expect(await status('/get/k', { method: 'GET' })).toBe(400);
    expect(await status('/set/k', { method: 'POST', body: 'v' })).toBe(400);
    const resp2 = await post('/', ['PING'], { 'upstash-response-format': 'resp2' });
    expect(resp2.status).toBe(400);
  });

  it('answers a pipeline command by command', async () => {
    const pipeline = client.pipeline().set('a', 1).incr('a').get('none').hset('h', { x: 'y' });
    expect(await pipeline.exec()).toEqual(['OK', 2, null, 1]);
    const commands = [['SET', 'b', 'x'], ['INCR', 'b'], ['NOPE'], ['GET', 'b']];
    const answers = (await (await post('/pipeline', commands)).json()) as object[];
    expect(answers).toEqual([
      { result: 'OK' },
      { error: 'ERR value is not an integer or out of range' },
      { error: "ERR the stand-in does not play 'NOPE'" },
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
      ['SADD', 'n', 'x'],
      ['INCR', 'n'],
    ]);
    expect(await failing.json()).toEqual([
      { result: 81 },
      { error: expect.stringMatching(/^WRONGTYPE/) as string },
      { result: 82 },
    ]);
  });

  it('keeps time: nx, xx, px, ex, keepttl and what follows from them', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    onTestFinished(() => void vi.useRealTimers());
    expect(await client.set('k', 'v', { nx: true, px: 120 })).toBe('OK');
    expect(await client.set('k', 'w', { nx: true })).toBeNull();
    pass(20);
    expect(await client.pttl('k')).toBe(100);
    expect(await client.set('k', 'x', { xx: true, keepTtl: true })).toBe('OK');
    await client.set('n', 1, { px: 100 });
    await client.incr('n');
    expect(await client.pttl('n')).toBe(100);
    pass(99);
    expect(await client.exists('k')).toBe(1);
    pass(1);
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
    pass(60);
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
  });

  it('tells which lock a script took, and holds the rules of allow-key-locking', async () => {
    const state = async () =>
      ((await (await fetch(`${redis.url}/_local/state`)).json()) as { scripts: object }).scripts;
    const before = await state();
    const counted = async (expected: Record<string, number>) => {
      const now = Object.entries(await state());
      const grown = now.map(([name, count]) => [name, count - Number(Object(before)[name])]);
      expect(Object.fromEntries(grown)).toEqual(expected);
    };
    const flag = '#!lua flags=allow-key-locking\n';
    const body = "return redis.call('INCR', ARGV[1])";
    expect(await client.eval(body, ['a'], ['b'])).toBe(1);
    await counted({ keyLocks: 0, globalLocks: 1, undeclaredKeys: 1 });
    expect(await client.eval(flag + body, ['b'], ['b'])).toBe(2);
    await counted({ keyLocks: 1, globalLocks: 1, undeclaredKeys: 1 });
    // In a transaction every script takes the global lock.
    expect(
      await client
        .multi()
        .eval(flag + body, ['b'], ['b'])
        .exec(),
    ).toEqual([3]);
    await counted({ keyLocks: 1, globalLocks: 2, undeclaredKeys: 1 });
    await expect(client.eval(flag + body, ['a'], ['b'])).rejects.toThrow(
      "ERR Dynamic keys are not allowed in Lua scripts when 'allow-key-locking' flag is set. Key was: b",
    );
    await expect(client.eval(`${flag}return redis.call('FLUSHALL')`, [], [])).rejects.toThrow(
      "FLUSHALL is not allowed in Lua scripts when 'allow-key-locking' flag is set",
    );
    expect(await client.get('b')).toBe(3);
    const both = '#!lua flags=no-writes,allow-key-locking\n';
    expect(await client.evalRo(`${both}return redis.call('GET', KEYS[1])`, ['b'], [])).toBe(3);
    await expect(client.eval(both + body, ['b'], ['b'])).rejects.toThrow('Write commands are not');
  });

  it('goes on after a script failed in any depth', async () => {
    const nested = `
      local function deep(n) if n == 0 then return redis.call('HGET', KEYS[1], 'f') end
        local ok, e = pcall(deep, n - 1) error(e) end
      return deep(50)`;
    await client.set('k', 'text');
    for (let turn = 0; turn < 200; turn += 1)
      await expect(client.eval(nested, ['k'], [])).rejects.toThrow('WRONGTYPE');
    await expect(client.eval('local t = {} t[1] = t return t', [], [])).rejects.toThrow();
    expect(await client.eval("return redis.call('GET', KEYS[1])", ['k'], [])).toBe('text');
  });

  it('gives the product the types that it reads', async () => {
    expect(await client.ping()).toBe('PONG');
    expect(await client.set('flag', 1_700_000_000_000, { ex: 600 })).toBe('OK');
    const written = client.pipeline().hset('live', { 0: '4,1,17' }).get('flag').expire('live', 600);
    expect(await written.exec()).toEqual([1, 1_700_000_000_000, 1]);
    expect(await client.hgetall('live')).toEqual({ 0: '4,1,17' });
    expect(await client.hdel('live', '0')).toBe(1);
    expect(await client.hgetall('live')).toBeNull();
    expect(await client.exists('live')).toBe(0);
    const before = Date.now();
    const time = "local t = redis.call('TIME') return { tonumber(t[1]), t[2] }";
    const [seconds] = await client.eval<[], [number, string]>(time, [], []);
    expect(seconds).toBeLessThanOrEqual(Date.now() / 1000 + 1);
    expect(seconds).toBeGreaterThanOrEqual(Math.floor(before / 1000) - 1);
    const claim = () =>
      client.pipeline().set('claim', 'c', { nx: true, px: 30_000 }).mget('claim', 'none').exec();
    expect(await claim()).toEqual(['OK', ['c', null]]);
    expect(await claim()).toEqual([null, ['c', null]]);
    expect(await client.pttl('claim')).toBeGreaterThan(0);
  });

  it('scans every key that is there all along, though others come and go', async () => {
    const keep = Array.from({ length: 45 }, (_, i) => `keep:${i}`);
    const stored = client.pipeline();
    for (const [i, key] of keep.entries()) stored.set(key, i).set(`x:${i}`, i);
    await stored.exec();
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
    expect(state).toMatchObject({ keys: 1 });
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
