import type { HttpBindings } from '@hono/node-server';
import type { MiddlewareHandler } from 'hono';

/** `search` is Serper's part, `llm` the completions'. */
export type Provider = 'search' | 'llm';

export type ProviderStats = {
  requests: number;
  /** Requests that carry no answer yet, not even headers: what Cloudflare's limit of six counts. */
  waiting: number;
  maxWaiting: number;
  /** Answers by status; `cut` are connections that ended without headers. */
  statuses: Record<string, number>;
};
export type Stats = Record<Provider, ProviderStats> & {
  /** Both providers together. */
  total: { requests: number; waiting: number; maxWaiting: number };
};

/** What routes know of a request: `answered` is called when its headers go out. */
export type Vars = { answered: (status: number | 'cut') => void };
export type ProviderEnv = { Bindings: HttpBindings; Variables: Vars };

const fresh = (waiting = 0): ProviderStats => ({
  requests: 0,
  waiting,
  maxWaiting: waiting,
  statuses: {},
});

/** Counts requests and those that wait for headers, per provider. */
export class RequestStats {
  #search = fresh();
  #llm = fresh();
  #maxWaiting = 0;

  snapshot(): Stats {
    const [search, llm] = [this.#search, this.#llm];
    return {
      search: { ...search, statuses: { ...search.statuses } },
      llm: { ...llm, statuses: { ...llm.statuses } },
      total: {
        requests: search.requests + llm.requests,
        waiting: search.waiting + llm.waiting,
        maxWaiting: this.#maxWaiting,
      },
    };
  }

  /** Counts from zero again; requests that still wait stay counted as waiting. */
  reset(): void {
    this.#search = fresh(this.#search.waiting);
    this.#llm = fresh(this.#llm.waiting);
    this.#maxWaiting = this.#search.waiting + this.#llm.waiting;
  }

  /** Takes a request in; the returned function reports its answer, once, later calls do nothing. */
  enter(provider: Provider): Vars['answered'] {
    const of = () => (provider === 'search' ? this.#search : this.#llm);
    const now = of();
    now.requests += 1;
    now.waiting += 1;
    now.maxWaiting = Math.max(now.maxWaiting, now.waiting);
    this.#maxWaiting = Math.max(this.#maxWaiting, this.#search.waiting + this.#llm.waiting);
    let open = true;
    return (status) => {
      if (!open) return;
      open = false;
      // Looked up again: a reset may have replaced the record meanwhile.
      const then = of();
      then.waiting -= 1;
      then.statuses[status] = (then.statuses[status] ?? 0) + 1;
    };
  }

  middleware(provider: Provider): MiddlewareHandler<ProviderEnv> {
    return async (c, next) => {
      const answered = this.enter(provider);
      c.set('answered', answered);
      await next();
      answered(c.env.outgoing.destroyed ? 'cut' : c.res.status);
    };
  }
}

/** At most `perSecond` in any second, as a bucket that refills evenly and holds one second's worth. */
export class RateLimiter {
  #tokens = 0;
  #refilledAt = 0;
  #perSecond: number | null = null;

  /** Whether a request may pass now; a changed limit starts with a full bucket. */
  allow(perSecond: number | null, nowMs = performance.now()): boolean {
    if (perSecond === null) return true;
    const full = Math.max(1, perSecond);
    if (this.#perSecond !== perSecond) {
      this.#perSecond = perSecond;
      this.#tokens = full;
    } else {
      const refill = ((nowMs - this.#refilledAt) / 1000) * perSecond;
      this.#tokens = Math.min(full, this.#tokens + refill);
    }
    this.#refilledAt = nowMs;
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}
