import { spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startRedis as start, type Redis, type RedisOptions } from '../../local/redis/index.ts';
import { commandLineOf } from '../../local/redis/server/leftovers.ts';
import { findServer } from '../../local/redis/server/process.ts';

const server = await findServer();
let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'rowloom-redis-test-'));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

type Note = { pid: number; port: number };
const running: Redis[] = [];
const startRedis = async (options: Omit<RedisOptions, 'token'>) => {
  const redis = await start({ token: 't', ...options });
  running.push(redis);
  return redis;
};
afterEach(async () => {
  for (const redis of running.splice(0)) await redis.close();
});

/** By its command line: an ended orphan may stay a zombie for as long as init likes. */
const isAlive = async ({ pid, port }: Note) =>
  (await commandLineOf(pid))?.includes(`:${port}`) === true;

async function notes(): Promise<Note[]> {
  const files = await readdir(directory);
  const texts = await Promise.all(files.map((file) => readFile(join(directory, file), 'utf8')));
  return texts.map((text) => JSON.parse(text) as Note);
}

describe.skipIf(!server)('a real redis-server', () => {
  it('listens below 32768, keeps nothing, and is gone after close', async () => {
    const redis = await startRedis({ directory });
    expect(redis.backend).toBe('redis-server');
    const [note = { pid: 0, port: 0 }] = await notes();
    expect(note.port).toBeLessThan(32_768);
    expect(await isAlive(note)).toBe(true);
    await redis.close();
    expect(await isAlive(note)).toBe(false);
    expect(await readdir(directory)).toEqual([]);
  });

  it('is ended by the next start when its parent was killed, but not when the parent lives', async () => {
    const module = new URL('../../local/redis/index.ts', import.meta.url).href;
    const code = `
      const { startRedis } = await import(${JSON.stringify(module)});
      await startRedis({ token: 't', directory: ${JSON.stringify(directory)} });
      console.log('ready');`;
    const parent = spawn(process.execPath, ['--input-type=module', '-e', code], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await new Promise((resolve) => parent.stdout.once('data', resolve));
    const [orphan = { pid: 0, port: 0 }] = await notes();

    const beside = await startRedis({ directory });
    expect(await isAlive(orphan)).toBe(true);
    await beside.close();

    const gone = new Promise((resolve) => parent.once('exit', resolve));
    parent.kill('SIGKILL');
    await gone;
    expect(await isAlive(orphan)).toBe(true);
    await startRedis({ directory });
    expect(await isAlive(orphan)).toBe(false);
  });

  it('leaves a foreign process with a noted number alone', async () => {
    const note = { pid: process.pid, port: 25_000, parentPid: 999_999, parentCommand: 'x' };
    await writeFile(join(directory, 'redis-25000.json'), JSON.stringify(note));
    await writeFile(join(directory, 'redis-25001.json'), 'not json');
    const redis = await startRedis({ directory });
    expect(await notes()).toHaveLength(1);
    await redis.close();
  });
});

describe('without a redis-server', () => {
  it('takes the built-in store when told so', async () => {
    const redis = await startRedis({ redisServer: 'off' });
    expect(redis.backend).toBe('built-in');
    await redis.close();
  });

  it('fails when the one that was named does not start', async () => {
    const named = (redisServer: string) => startRedis({ directory, redisServer });
    await expect(named('/no/such/redis-server')).rejects.toThrow('ENOENT');
    await expect(named(process.execPath)).rejects.toThrow('did not come up');
  });
});
