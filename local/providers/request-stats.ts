import type { HttpBindings } from '@hono/node-server';
import type { MiddlewareHandler } from 'hono';

/** `search` is Serper's part, `llm` the completions'. */
export type Provider = 'search' | 'llm';

type ProviderStats = {
  requests: number;
  /** Requests that carry no answer yet, not even headers: what Cloudflare's limit of six counts. */
  waiting: number;
  maxWaiting: number;
  /** Answers by status; `cut` are connections that ended without headers. */
  statuses: Record<string, number>;
};
/** By provider, and both together. */
export type Stats = Record<Provider, ProviderStats> & { total: Omit<ProviderStats, 'statuses'> };

/** What routes know of a request: `answered` is called when its headers go out; later calls do nothing. */
type Vars = { answered: (status: number | 'cut') => void };
export type ProviderEnv = { Bindings: HttpBindings; Variables: Vars };

const fresh = (waiting = 0) => ({ requests: 0, waiting, maxWaiting: waiting, statuses: {} });

/** Counts requests and those that wait for headers, per provider. */
export class RequestStats {
  #of: Record<Provider | 'total', ProviderStats> = {
    search: fresh(),
    llm: fresh(),
    total: fresh(),
  };

  snapshot(): Stats {
    const { statuses: _, ...total } = this.#of.total;
    return structuredClone({ search: this.#of.search, llm: this.#of.llm, total });
  }

  /** Counts from zero again; requests that still wait stay counted as waiting. */
  reset(): void {
    for (const key of ['search', 'llm', 'total'] as const)
      this.#of[key] = fresh(this.#of[key].waiting);
  }

  middleware(provider: Provider): MiddlewareHandler<ProviderEnv> {
    return async (c, next) => {
      for (const stats of [this.#of[provider], this.#of.total]) {
        stats.requests += 1;
        stats.waiting += 1;
        stats.maxWaiting = Math.max(stats.maxWaiting, stats.waiting);
      }
      let open = true;
      const answered: Vars['answered'] = (status) => {
        if (!open) return;
        open = false;
        // Looked up again: a reset may have replaced the records meanwhile.
        for (const stats of [this.#of[provider], this.#of.total]) {
          stats.waiting -= 1;
          stats.statuses[status] = (stats.statuses[status] ?? 0) + 1;
        }
      };
      c.set('answered', answered);
      await next();
      answered(c.env.outgoing.destroyed ? 'cut' : c.res.status);
    };
  }
}
