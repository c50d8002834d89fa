/** How a provider counts: an even refill of one window's content, or windows. */
export type Kind = 'bucket' | 'fixed' | 'sliding';

export type LimitedProvider = {
  kind: Kind;
  requests: number;
  windowMs: number;
  tokens?: number;
  refusedCount?: boolean;
  retryAfter?: boolean;
  headers?: 'openai' | 'groq';
  /** ms from the start; a new limit from then on. */
  change?: { at: number; requests: number };
};

/** One limit; `at` in ms from the provider's beginning. */
export function createLimit(kind: Kind, limit: number, windowMs: number) {
  let [level, filledAt, window] = [limit, 0, 0];
  let log: { at: number; amount: number }[] = [];
  let now = limit;
  const look = (at: number): number => {
    if (kind === 'bucket') level = Math.min(now, level + ((at - filledAt) / windowMs) * now);
    else if (kind === 'fixed' && Math.floor(at / windowMs) > window) {
      window = Math.floor(at / windowMs);
      level = now;
    } else if (kind === 'sliding') {
      log = log.filter((one) => one.at > at - windowMs);
      level = now - log.reduce((sum, { amount }) => sum + amount, 0);
    }
    filledAt = at;
    return level;
  };
  return {
    look,
    take: (at: number, amount: number): void => {
      look(at);
      level = Math.max(-now, level - amount);
      if (kind === 'sliding') log.push({ at, amount });
    },
    waitMs: (at: number, amount: number): number => {
      const left = look(at);
      if (kind === 'bucket') return ((amount - left) / now) * windowMs;
      if (kind === 'fixed') return windowMs - (at % windowMs);
      let short = amount - left;
      for (const one of log) {
        short -= one.amount;
        if (short <= 0) return one.at + windowMs - at;
      }
      return windowMs;
    },
    /** What it would have let through by then, a window that has begun in part. */
    allowed: (from: number, until: number): number => {
      const windows = (until - from) / windowMs;
      if (kind === 'bucket') return (1 + windows) * limit;
      if (kind === 'sliding') return Math.max(1, windows) * limit;
      const begun = Math.floor(until / windowMs);
      const whole = begun - Math.floor(from / windowMs);
      return Math.max(1, whole + until / windowMs - begun) * limit;
    },
    change: (next: number): void => {
      now = next;
    },
    limit: () => now,
  };
}
