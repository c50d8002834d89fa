import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Faults } from '../support/faults.ts';
import { listen, type Service } from '../support/http.ts';
import { Gateway } from './gateway.ts';
import type { Backend } from './reply.ts';
import { serverBackend } from './server/backend.ts';
import { findServer } from './server/process.ts';
import { storeBackend } from './store/backend.ts';

export type Redis = Service & { faults: Faults; backend: Backend['kind'] };
export type RedisOptions = {
  /** 0 or absent: a free one. */
  port?: number | undefined;
  /** What `Authorization: Bearer` must carry. */
  token: string;
  /** Where the redis-server's pid file lies, so that a crash's leftovers are found again. */
  directory?: string | undefined;
  /** A path to redis-server; `auto` (default) takes the one on PATH, if any; `off` takes none. */
  redisServer?: string | undefined;
};

async function chooseBackend(redisServer: string, directory: string): Promise<Backend> {
  if (redisServer === 'off') return storeBackend();
  const path = redisServer === 'auto' ? await findServer() : redisServer;
  if (!path) return storeBackend();
  await mkdir(directory, { recursive: true });
  try {
    return await serverBackend(path, directory);
  } catch (error) {
    // One that was only found by chance may be unusable; one that was named must work.
    if (redisServer === 'auto') return storeBackend();
    throw error;
  }
}

/**
 * Upstash's Redis REST API on loopback, on a real redis-server or on a small store of its own.
 * `GET /_local/state` → `{keys, commands, backend}`; `/_local/faults` has the switches.
 * Throws when a redis-server that was named does not start.
 * https://upstash.com/docs/redis/features/restapi
 */
export async function startRedis(options: RedisOptions): Promise<Redis> {
  const directory = options.directory ?? join(tmpdir(), 'rowloom-redis');
  const backend = await chooseBackend(options.redisServer ?? 'auto', directory);
  const gateway = new Gateway(backend);
  let service: Service;
  try {
    service = await listen(gateway.app(options.token), options.port);
  } catch (error) {
    await backend.close();
    throw error;
  }
  return {
    ...service,
    faults: gateway.faults,
    backend: backend.kind,
    close: async () => {
      await service.close();
      await backend.close();
    },
  };
}
