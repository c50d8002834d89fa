import type { Away, AwayReason, ProviderError, Refusal } from './errors.pure.ts';

/** Longer than a minute's limit asks for: a quota of a day or an hour is used up. */
const quotaMs = 600_000;

const reasons: Record<Exclude<Refusal, 'limited'>, AwayReason> = {
  final: 'refused',
  denied: 'refused',
  retryable: 'unavailable',
};

/** Why a provider is away that has failed even a probe; `nowMs`: since 1970. */
export function awayFor(provider: string, failure: ProviderError, nowMs: number): Away {
  const { refusal, retryAfterMs: waitMs } = failure;
  const untilMs = waitMs === undefined ? undefined : nowMs + waitMs;
  // What an outage says of its end is a guess: it is looked at sooner.
  if (refusal !== 'limited') return { provider, reason: reasons[refusal], detail: failure.message };
  const reason = (waitMs ?? 0) >= quotaMs ? 'quota_exhausted' : 'rate_limited';
  return { provider, reason, detail: failure.message, untilMs };
}
