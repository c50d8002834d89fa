import { vi } from 'vitest';
import { createRedis } from '../../functions/clients/redis.ts';
import { createGateway } from '../../local/redis/gateway.ts';
import { Store } from '../../local/redis/store.ts';
import { Faults } from '../../local/support/faults.ts';
import { listen } from '../../local/support/http.ts';
import type { StoryClock } from './chaos-clock.ts';

const token = 'chaos';

/** The time of the store that runs a command just now, in ms since 1970. */
let atMs: number | undefined;

/** Lets stores see another time than everybody else, who wait while a command runs. `vi.restoreAllMocks` ends it. */
export function bendTime(): void {
  const { timeOrigin } = performance;
  const [now, sinceOrigin] = [Date.now.bind(Date), performance.now.bind(performance)];
  vi.spyOn(Date, 'now').mockImplementation(() => atMs ?? now());
  vi.spyOn(performance, 'now').mockImplementation(() =>
    atMs === undefined ? sinceOrigin() : atMs - timeOrigin,
  );
}

/** A Redis of a story's own, which goes by its clock: how long a limit holds is told by Redis' time. */
export async function openRedis(clock: StoryClock) {
  const store = await Store.start();
  const execute = store.execute.bind(store);
  Object.assign(store, {
    execute: (command: Parameters<Store['execute']>[0]) => {
      const before = atMs;
      atMs ??= clock.now().getTime();
      try {
        return execute(command);
      } finally {
        atMs = before;
      }
    },
  });
  const service = await listen(createGateway(store, new Faults(), token), undefined);
  const close = () => service.close().finally(() => store.close());
  return { client: createRedis({ url: service.url, token }), close };
}
