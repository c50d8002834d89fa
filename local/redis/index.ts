import { Faults } from '../support/faults.ts';
import { listen, type Service } from '../support/http.ts';
import { createGateway } from './gateway.ts';
import { Store } from './store.ts';

export type Redis = Service & { faults: Faults };
type RedisOptions = {
  /** 0 or absent: a free one. */
  port?: number | undefined;
  /** What `Authorization: Bearer` must carry. */
  token: string;
};

/**
 * Upstash's Redis REST API on loopback, over a small store of its own.
 * `GET /_local/state` → `{keys, commands, scripts}`, `scripts` telling which locks scripts took;
 * `/_local/faults` has the switches. https://upstash.com/docs/redis/features/restapi
 */
export async function startRedis({ port, token }: RedisOptions): Promise<Redis> {
  const store = await Store.start();
  const faults = new Faults();
  const service = await listen(createGateway(store, faults, token), port);
  const close = () => service.close().finally(() => store.close());
  return { ...service, faults, close };
}
