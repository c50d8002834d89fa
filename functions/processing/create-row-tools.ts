import type { Ctx } from '../context.ts';
import type { ModelConfig } from '../env.ts';
import { callProvider } from '../providers/call-provider.ts';
import { costMicros } from '../providers/prices.pure.ts';
import { createResearchCache, type JobOfUser } from '../providers/research-cache.ts';
import { createResearch, type Findings, type Research } from '../providers/research.ts';
import { searchWeb } from '../providers/search.ts';
import { createSharedRedis } from '../providers/shared-redis.ts';
import { createProviders, type Invocation } from './create-providers.ts';
import { createModelPool, type PooledModel } from './model-pool.ts';
import type { RowTools } from './processor.ts';
import { limitedModel, limitedSearch } from './rows-per-minute.ts';

/**
 * So long before the last row may begin, a chunk that still has rows to begin is a slow one: it finishes
 * rows before it begins others, since the time may not do for all.
 */
const hurryMs = 14_000;

/** What rows took: tokens, searches, and millionths of a US dollar. */
export type Usage = {
  tokensIn: number;
  tokensOut: number;
  searches: number;
  searchesCached: number;
  costMicros: number;
};

export type RowToolbox = {
  /**
   * The tools of one row; what it searched for is kept in `searches`, and what is there is not paid twice. `onAsked`
   * hears when a model has answered, or was cut while it did.
   */
  toolsOf: (searches: Map<string, Findings>, onAsked: () => void) => RowTools;
  /** Asks the cache for everything that a chunk will search for: one Redis call. Never throws. */
  prepare: (queries: Research[]) => Promise<void>;
  /** Stores what research is not stored yet. Never throws. */
  finish: () => Promise<void>;
  /** Takes back what research was stored: the job is no more. Never throws. */
  takeBack: () => Promise<void>;
  /** What was used since it was last asked. */
  takeUsage: () => Usage;
};

/**
 * What the rows of one invocation share: the providers with their limits and breakers, and the research
 * cache. Everything that waits for headers takes one of its connections; everything works without Redis.
 */
export function createRowTools(ctx: Ctx, invocation: Invocation, of: JobOfUser): RowToolbox {
  const { config } = ctx;
  const { connections, deadline } = invocation;
  const now = () => ctx.now().getTime();
  const hurryFrom = deadline.startUntil - hurryMs;
  const shared = createSharedRedis(ctx, connections);
  const providerOf = createProviders(ctx, invocation, shared);
  let asked: { model: ModelConfig; tokensIn: number; tokensOut: number }[] = [];
  let counted = { searches: 0, cached: 0 };

  const searching = providerOf('Search', limitedSearch(config));
  const research = createResearch({
    cache: createResearchCache(shared, of),
    deadline,
    now,
    search: (text) =>
      callProvider(searching, 0, async (call) => ({
        answer: await searchWeb(config.search, call, text),
      })),
  });
  const pooled = (model: ModelConfig): PooledModel => ({
    model,
    provider: providerOf('Model', limitedModel(model)),
  });
  const [first, ...others] = config.models;
  const complete = createModelPool([pooled(first), ...others.map(pooled)], {
    isUrgent: () => now() > hurryFrom,
    onAnswer: (model, { usage: { tokensIn, tokensOut } }) =>
      void asked.push({ model, tokensIn, tokensOut }),
  });

  return {
    toolsOf: (searches, onAsked) => ({
      search: async (query) => {
        const known = searches.get(query.text);
        if (known) return known;
        const findings = await research.search(query);
        searches.set(query.text, findings);
        return findings;
      },
      complete: (messages, options = {}) => complete(messages, options, onAsked),
    }),
    prepare: research.prepare,
    finish: research.finish,
    takeBack: research.takeBack,
    takeUsage: () => {
      const counts = research.counts();
      const searches = counts.searches - counted.searches;
      const models = asked;
      const taken: Usage = {
        tokensIn: sum(models.map(({ tokensIn }) => tokensIn)),
        tokensOut: sum(models.map(({ tokensOut }) => tokensOut)),
        searches,
        searchesCached: counts.cached - counted.cached,
        costMicros: costMicros({ models, searches }, config.prices).micros,
      };
      [asked, counted] = [[], counts];
      return taken;
    },
  };
}

const sum = (numbers: number[]): number => numbers.reduce((total, one) => total + one, 0);
