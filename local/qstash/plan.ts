import type { Clock } from './clock.ts';
import { Refusal, Unsendable } from './problem.ts';

/** Ceilings of the plan; going over one is a 412 `quota … exceeded` (upstash/workflow-js #181). */
export const quotas = {
  maxMessageSize: 10 * 1024 * 1024,
  maxRetries: 5,
  maxDelay: 30 * 86_400,
};

/** Refuses a value over a quota of the plan. */
export function checkQuota(name: keyof typeof quotas, value: number): void {
  if (value > quotas[name])
    throw new Unsendable(412, `quota ${name} exceeded, current limit: ${quotas[name]}`);
}

/** What the account allows and how busy QStash is; may be changed while the stand-in runs. */
export type Plan = {
  /** Of the routes that read and manage, not of those that publish. */
  requestsPerSecond: number;
  messagesPerDay: number;
  /** What a bulk cancel by filter takes, and how long its request is held, in ms of the clock. */
  bulkCancelMs: number;
  bulkCancelPatienceMs: number;
  /** Bulk actions in progress at once. */
  bulkActions: number;
};

export const defaultPlan = (): Plan => ({
  requestsPerSecond: Number.POSITIVE_INFINITY,
  messagesPerDay: Number.POSITIVE_INFINITY,
  bulkCancelMs: 0,
  bulkCancelPatienceMs: 60_000,
  bulkActions: 1_000,
});

/** Counts in fixed windows of the clock; over the limit it refuses with 429 and its headers. */
class Window {
  #clock: Clock;
  #lengthMs: number;
  #prefix: string;
  #start = Number.NEGATIVE_INFINITY;
  #used = 0;

  constructor(clock: Clock, lengthMs: number, prefix: string) {
    this.#clock = clock;
    this.#lengthMs = lengthMs;
    this.#prefix = prefix;
  }

  take(count: number, limit: number, refusal: string): void {
    const now = this.#clock.now();
    if (now >= this.#start + this.#lengthMs) {
      this.#start = now;
      this.#used = 0;
    }
    if (this.#used + count > limit) {
      const leftMs = (this.#start + this.#lengthMs - now) / this.#clock.scale;
      throw new Refusal(429, refusal, {
        [`${this.#prefix}-Limit`]: String(limit),
        [`${this.#prefix}-Remaining`]: String(limit - this.#used),
        [`${this.#prefix}-Reset`]: String(Math.ceil((Date.now() + leftMs) / 1_000)),
      });
    }
    this.#used += count;
  }
}

/**
 * The two limits whose 429s the SDK tells apart by their headers: requests in a second
 * (https://upstash.com/docs/qstash/api/api-ratelimiting) and messages in a day. The words of both
 * refusals, and where the day begins, are not documented.
 */
export class RateLimits {
  #plan: Plan;
  #burst: Window;
  #daily: Window;

  constructor(clock: Clock, plan: Plan) {
    this.#plan = plan;
    this.#burst = new Window(clock, 1_000, 'Burst-RateLimit');
    this.#daily = new Window(clock, 86_400_000, 'RateLimit');
  }

  request(): void {
    this.#burst.take(1, this.#plan.requestsPerSecond, 'burst rate limit exceeded');
  }

  messages(count: number): void {
    this.#daily.take(count, this.#plan.messagesPerDay, 'daily message limit exceeded');
  }
}
