import type { Research } from '../providers/research.ts';
import type { Ctx } from '../context.ts';
import type { Slots } from '../providers/connection-limiter.ts';
import { createSharedRateLimiter } from '../providers/shared-rate-limiter.ts';
import type { Deadline } from '../providers/deadline.ts';
import { createProviderCooldown } from '../providers/provider-cooldown.ts';
import { askModel } from '../providers/model.ts';
import type { RowTools } from './processor.ts';
import { createResearchCache } from '../providers/research-cache.ts';
import { createResearch } from '../providers/research.ts';
import { withRetries, type Retries } from '../providers/http.ts';
import { searchWeb } from '../providers/search.ts';
import { createSharedRedis } from '../providers/shared-redis.ts';

export type { Deadline } from '../providers/deadline.ts';
export { ProviderError, RowPostponed } from '../providers/errors.pure.ts';

const defaultMaxTokens = 600;

/**
 * So long before the last row may begin, a chunk that still has rows to begin is a slow one: it finishes
 * rows before it begins others, since the time may not do for all.
 */
const hurryMs = 14_000;

export type Toolbox = {
  tools: RowTools;
  /** Asks the cache for everything that a chunk will search for: one Redis call. Never throws. */
  prepare: (queries: Research[]) => Promise<void>;
  /** Waits until new research is stored. Never throws. */
  finish: () => Promise<void>;
};

/**
 * What the rows of one invocation share: the providers with their retries and rates, and the research
 * cache. Everything that waits for headers takes one of `slots`; everything works without Redis.
 */
export function createRowTools(
  ctx: Pick<Ctx, 'config' | 'redis' | 'log' | 'now'>,
  slots: Slots,
  deadline: Deadline,
): Toolbox {
  const { search: searchConfig, parallelInvocations } = ctx.config;
  const [model] = ctx.config.models;
  const now = () => ctx.now().getTime();
  const hurryFrom = deadline.startUntil - hurryMs;
  const shared = createSharedRedis(ctx, slots);

  const retriesOf = (provider: string, ratePerSecond: number | undefined): Retries => {
    const bucket =
      ratePerSecond === undefined
        ? undefined
        : createSharedRateLimiter({
            provider,
            ratePerSecond,
            parallelInvocations,
            shared,
            deadline,
            now,
          });
    const onClosed = (waitMs: number) =>
      ctx.log('provider_refused', { provider, waitMs: Math.round(waitMs) });
    const gate = createProviderCooldown({ deadline, now, bucket, onClosed });
    return { provider, fetch: slots.fetch, gate, deadline, now };
  };
  const searching = retriesOf('Search', searchConfig.requestsPerSecond);
  const asking = retriesOf('Model', model.requestsPerMinute && model.requestsPerMinute / 60);

  const research = createResearch({
    cache: createResearchCache(shared),
    deadline,
    now,
    search: (text) => withRetries(searching, (call) => searchWeb(searchConfig, call, text)),
  });
  return {
    tools: {
      search: research.search,
      complete: (messages, { maxTokens = defaultMaxTokens, jsonSchema } = {}) =>
        withRetries(asking, (call) =>
          askModel(model, call, messages, { maxTokens, jsonSchema, urgent: now() > hurryFrom }),
        ),
    },
    prepare: research.prepare,
    finish: research.finish,
  };
}
