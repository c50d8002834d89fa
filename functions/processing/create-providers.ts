import type { Ctx } from '../context.ts';
import { createBreaker } from '../providers/breaker.ts';
import type { Provider } from '../providers/call-provider.ts';
import type { ConnectionLimiter } from '../providers/connection-limiter.ts';
import type { RunningDeadline } from '../providers/deadline.ts';
import { probeProvider } from '../providers/probe.ts';
import { createSharedRateLimiter } from '../providers/shared-rate-limiter.ts';
import type { SharedRedis } from '../providers/shared-redis.ts';
import type { Limited } from './rows-per-minute.ts';
import type { OpenProvider } from './waiting.pure.ts';

/** What the rows of one invocation have in common. */
export type Invocation = {
  connections: ConnectionLimiter;
  deadline: RunningDeadline;
  /** Providers that nobody called when the lease was taken. */
  open: readonly OpenProvider[];
};

/** Makes the providers of one invocation, each with its limiter and breaker. */
export function createProviders(
  ctx: Ctx,
  { connections, deadline, open }: Invocation,
  shared: SharedRedis,
) {
  const now = () => ctx.now().getTime();
  let isHeld = false;
  const onLimited = (provider: string, waitMs: number): void => {
    deadline.hold();
    if (!isHeld) ctx.log('provider_limited', { provider, waitMs: Math.round(waitMs) });
    isHeld = true;
  };
  return (label: string, limited: Limited): Provider => {
    const { provider } = limited;
    const known = open.find(({ name }) => name === provider);
    return {
      label,
      fetch: connections.fetch,
      limiter: createSharedRateLimiter({
        ...limited,
        parallelInvocations: ctx.config.parallelInvocations,
        shared,
        deadline,
        now,
        onLimited: (waitMs) => onLimited(provider, waitMs),
      }),
      breaker: createBreaker(ctx, {
        provider,
        known: known && { ...known, provider },
        probe: () => probeProvider(ctx, provider, connections.fetch),
      }),
      deadline,
      now,
    };
  };
}
