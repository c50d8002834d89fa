import type { Redis } from '@upstash/redis';
import type { Ctx } from '../context.ts';
import type { ConnectionLimiter } from './connection-limiter.ts';

/**
 * How a call gets its slot: after those that wait, before them, or in one that its caller holds while it
 * sends nothing else.
 */
export type SlotUse = 'waiting' | 'urgent' | 'held';

/** Redis as the rows of an invocation use it: each call in a slot, and none after one has failed. */
export type SharedRedis = {
  /** Undefined: Redis does not answer, so go on without. Never throws. */
  ask: <T>(work: (redis: Redis) => Promise<T>, slot?: SlotUse) => Promise<T | undefined>;
};

export function createSharedRedis(
  ctx: Pick<Ctx, 'redis' | 'log'>,
  connections: Pick<ConnectionLimiter, 'run'>,
): SharedRedis {
  let off = false;
  const ask = async <T>(
    work: (redis: Redis) => Promise<T>,
    slot: SlotUse = 'waiting',
  ): Promise<T | undefined> => {
    if (off) return undefined;
    // Asked again in the slot: a call that was queued behind the failed one need not fail too.
    const unlessOff = async () => (off ? undefined : work(ctx.redis));
    try {
      return await (slot === 'held' ? unlessOff() : connections.run(unlessOff, slot === 'urgent'));
    } catch (error) {
      if (!off) ctx.log('rows_without_redis', { error: error instanceof Error ? error.name : '' });
      off = true;
      return undefined;
    }
  };
  return { ask };
}
