import type { Ctx } from '../context.ts';
import type { ModelConfig, Profile } from '../env.ts';
import { createConnectionLimiter } from '../providers/connection-limiter.ts';
import type { SetLimits } from '../providers/rate-limiter.ts';
import { createSharedRateLimiter } from '../providers/shared-rate-limiter.ts';
import { createSharedRedis } from '../providers/shared-redis.ts';
import { needsOf } from './open-providers.ts';

/** A provider as its limiter knows it. */
export type Limited = { provider: string; limits: SetLimits; profile: Profile };

export const limitedSearch = ({ search }: Ctx['config']): Limited => ({
  provider: 'search',
  limits: { requestsPerSecond: search.requestsPerSecond },
  profile: 'plain',
});

export const limitedModel = ({
  name,
  requestsPerMinute,
  tokensPerMinute,
  profile,
}: ModelConfig): Limited => ({
  provider: name,
  limits: { requestsPerMinute, tokensPerMinute },
  profile,
});

/**
 * Rows, with or without a search, that providers have turns for, in a minute; undefined: no limit is known. A row searches
 * once at most and asks one of the models. One Redis command a provider.
 */
export async function rowsPerMinute(ctx: Ctx, needsSearch: boolean): Promise<number | undefined> {
  const { config } = ctx;
  const shared = createSharedRedis(ctx, createConnectionLimiter());
  const now = () => ctx.now().getTime();
  const deadline = { startUntil: now(), stopAt: now(), signal: new AbortController().signal };
  const { parallelInvocations } = config;
  const paceOf = async (limited: Limited): Promise<number> => {
    const onLimited = (): void => {};
    const common = { parallelInvocations, shared, deadline, now, onLimited };
    return (await createSharedRateLimiter({ ...limited, ...common }).pace()) ?? Infinity;
  };
  const needed = needsOf(config, needsSearch);
  const [search, ...models] = await Promise.all([
    needed.search ? paceOf(limitedSearch(config)) : Infinity,
    ...config.models.map((model) => paceOf(limitedModel(model))),
  ]);
  const rows = Math.min(
    search,
    models.reduce((sum, pace) => sum + pace, 0),
  );
  return rows === Infinity ? undefined : rows;
}
