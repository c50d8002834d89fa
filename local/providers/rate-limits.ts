import type { Problem } from './openai-errors.ts';
import type { Settings } from './settings.ts';

/** A limit as a bucket that holds one window's worth, one call at least, and refills evenly. */
export class Bucket {
  #level = 0;
  #filledAtMs = 0;
  #limit: number | undefined;

  /** What is left; a changed limit starts full. */
  level(limit: number, windowMs: number): number {
    const nowMs = performance.now();
    const refill = ((nowMs - this.#filledAtMs) / windowMs) * limit;
    const full = Math.max(1, limit);
    this.#level = this.#limit === limit ? Math.min(full, this.#level + refill) : full;
    this.#limit = limit;
    this.#filledAtMs = nowMs;
    return this.#level;
  }

  /** Takes from what is left, gives back if negative; a window's worth of debt is the most. */
  take(amount: number): void {
    this.#level = Math.max(-(this.#limit ?? 0), this.#level - amount);
  }
}

/** A duration as Go prints it, in whole milliseconds: `120ms`, `1s`, `6m0s`, `2m59.56s`. */
export function goDuration(ms: number): string {
  const whole = Math.max(0, Math.trunc(ms));
  if (whole < 1000) return whole === 0 ? '0s' : `${whole}ms`;
  const [hours, minutes] = [Math.floor(whole / 3_600_000), Math.floor(whole / 60_000) % 60];
  const rest = `${(whole % 60_000) / 1000}s`;
  return `${hours > 0 ? `${hours}h` : ''}${hours + minutes > 0 ? `${minutes}m` : ''}${rest}`;
}

type Limit = { name: string; counts: 'requests' | 'tokens'; limit: number; windowMs: number };
const [minuteMs, dayMs] = [60_000, 86_400_000];

function limitsOf(s: Settings): Limit[] {
  const minute = s.profile === 'groq' ? 'minute' : 'min';
  const all: [name: string, limit: number | null, windowMs: number][] = [
    ['requests per second', s.llmRatePerSecond, 1000],
    [`requests per ${minute} (RPM)`, s.llmRequestsPerMinute, minuteMs],
    ['requests per day (RPD)', s.llmRequestsPerDay, dayMs],
    [`tokens per ${minute} (TPM)`, s.llmTokensPerMinute, minuteMs],
    ['tokens per day (TPD)', s.llmTokensPerDay, dayMs],
  ];
  return all.flatMap(([name, limit, windowMs]) => {
    const counts = name.startsWith('tokens') ? 'tokens' : 'requests';
    return limit === null ? [] : [{ name, limit, windowMs, counts }];
  });
}

/** Which window's limit the headers tell. Groq: requests always per day, tokens per minute. */
const isInHeaders = ({ profile }: Settings, { counts, windowMs }: Limit): boolean =>
  profile !== 'plain' &&
  windowMs === (profile === 'groq' && counts === 'requests' ? dayMs : minuteMs);

const organization = {
  plain: '',
  openai: ' in organization org-local',
  groq: ' in organization `org_local` service tier `on_demand`',
};
const visit = {
  plain: '',
  openai: ' Visit https://platform.openai.com/account/rate-limits to learn more.',
  groq: ' Visit https://console.groq.com/docs/rate-limits for more information.',
};

/**
 * The completions' limits, all at once, for the whole organisation. The even refill and the words are
 * those of real answers: Limit 10000, Used 8554, Requested 3082 → try again in 9.816s
 * (FoundationAgents/MetaGPT#523); Limit 15000, Used 11972, Requested 4351 → 5.289s (Aider-AI/aider#3265).
 * Headers: developers.openai.com/api/docs/guides/rate-limits, console.groq.com/docs/rate-limits.
 */
export class CompletionLimits {
  #buckets = new Map<string, Bucket>();

  /** Takes a call in, or says why not. */
  admit(settings: Settings, model: string, tokens: number): Problem | undefined {
    const limits = limitsOf(settings);
    const needed = ({ counts }: Limit) => (counts === 'requests' ? 1 : tokens);
    const short = limits.find((limit) => Math.max(0, this.#left(limit)) < needed(limit));
    const refusal = short && this.#refusal(settings, short, model, needed(short));
    const isCounted = settings.refusedCallsCount ?? settings.profile === 'openai';
    for (const limit of limits)
      if (!refusal || (isCounted && limit.counts === 'requests'))
        this.#bucket(limit).take(needed(limit));
    return refusal;
  }

  /** Gives tokens back that a call took and did not use; takes more if it used more. */
  giveBack(settings: Settings, tokens: number): void {
    for (const limit of limitsOf(settings))
      if (limit.counts === 'tokens') this.#bucket(limit).take(-tokens);
  }

  headers(settings: Settings): Record<string, string> {
    const headers: Record<string, string> = {};
    for (const at of limitsOf(settings).filter((limit) => isInHeaders(settings, limit))) {
      const left = this.#left(at);
      const resetMs = ((at.limit - left) / at.limit) * at.windowMs;
      headers[`x-ratelimit-limit-${at.counts}`] = String(at.limit);
      headers[`x-ratelimit-remaining-${at.counts}`] = String(Math.max(0, Math.floor(left)));
      headers[`x-ratelimit-reset-${at.counts}`] = goDuration(resetMs);
    }
    return headers;
  }

  #bucket({ name }: Limit): Bucket {
    const bucket = this.#buckets.get(name) ?? new Bucket();
    this.#buckets.set(name, bucket);
    return bucket;
  }

  #left = (limit: Limit): number => this.#bucket(limit).level(limit.limit, limit.windowMs);

  #refusal({ profile }: Settings, at: Limit, model: string, needed: number): Problem {
    const isGroq = profile === 'groq';
    const named = isGroq ? `model \`${model}\`` : model;
    const where = `${named}${organization[profile]} on ${at.name}: Limit ${at.limit}`;
    const shape = { type: at.counts, code: 'rate_limit_exceeded' };
    if (needed > Math.max(1, at.limit)) {
      const advice = isGroq
        ? ', please reduce your message size and try again.'
        : '. The input or output tokens must be reduced in order to run successfully.';
      const message = `Request too large for ${where}, Requested ${needed}${advice}${visit[profile]}`;
      return { ...shape, status: isGroq ? 413 : 429, message };
    }
    const left = this.#left(at);
    const waitMs = ((needed - left) / at.limit) * at.windowMs;
    const counts = `Used ${Math.ceil(at.limit - left)}, Requested ${needed}`;
    const again = `Please try again in ${goDuration(waitMs)}.`;
    const message = `Rate limit reached for ${where}, ${counts}. ${again}${visit[profile]}`;
    const retryAfterSeconds = Math.max(1, Math.ceil(waitMs / 1000));
    return { ...shape, status: 429, message, retryAfterSeconds };
  }
}
