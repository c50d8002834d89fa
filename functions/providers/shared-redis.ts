import type { Redis } from '@upstash/redis';
import type { Ctx } from '../context.ts';
import type { Slots } from './connection-limiter.ts';

/** Redis as the rows of an invocation use it: each call in a slot, and none after one has failed. */
export type SharedRedis = {
  /** Undefined: Redis does not answer, so go on without. Never throws. */
  ask: <T>(work: (redis: Redis) => Promise<T>) => Promise<T | undefined>;
};

export function createSharedRedis(ctx: Pick<Ctx, 'redis' | 'log'>, slots: Slots): SharedRedis {
  let off = false;
  const ask = async <T>(work: (redis: Redis) => Promise<T>): Promise<T | undefined> => {
    if (off) return undefined;
    try {
      // Asked again in the slot: a call that was queued behind the failed one need not fail too.
      return await slots.run(async () => (off ? undefined : work(ctx.redis)));
    } catch (error) {
      if (!off) ctx.log('rows_without_redis', { error: error instanceof Error ? error.name : '' });
      off = true;
      return undefined;
    }
  };
  return { ask };
}
