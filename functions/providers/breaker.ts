import type { Ctx } from '../context.ts';
import { noticeRefusal } from '../notices/refused-key.ts';
import { isoOfMs } from '../shared/time.pure.ts';
import { type Away, ProviderAway, RowPostponed } from './errors.pure.ts';
import { publishProbe } from './probe-message.ts';

/** What a tiny call of a provider says of it: `undefined`, it works. */
export type Probe = () => Promise<Away | undefined>;

/** Tries of any rows that fail one after the other, with no answer in between, before somebody looks. */
const suspiciousFailures = 4;
/** That a probe failed counts so long for the other rows of the invocation. */
const judgedMs = 3000;
/** What the rows of one invocation know of whether a provider can be called. */
export type Breaker = {
  /** Throws `ProviderAway` while nobody but a probe may call it. */
  assertClosed: () => void;
  /** A call that was sent at `sentMs` was answered as it should be. */
  succeeded: (sentMs: number) => void;
  /** A try failed that may succeed another time. → whether so many have in a row that it looks away. */
  failed: () => boolean;
  /**
   * Resolves when a call that was sent after `sinceMs` was answered, a row's or else a probe's; throws
   * `ProviderAway` when the probe's was not. An answer to an older call says nothing: it may have been on its way
   * when the provider went.
   */
  judge: (sinceMs: number) => Promise<void>;
  /** Opens it for everybody; gives what is to be thrown. */
  open: (away: Omit<Away, 'provider'>) => Promise<ProviderAway>;
};

/**
 * The breaker of one provider, shared through Postgres: `known` is what the lease said, `open` tells the others,
 * and a chain of probes closes it again. One round trip when it opens, none otherwise.
 */
export function createBreaker(
  ctx: Pick<Ctx, 'db' | 'log' | 'now' | 'qstash' | 'config'>,
  options: { provider: string; known: Away | undefined; probe: Probe },
): Breaker {
  const { provider, probe } = options;
  const now = () => ctx.now().getTime();
  let away = options.known && new ProviderAway(options.known);
  let failuresInARow = 0;
  let answeredMs = -Infinity;
  let judging: { sentMs: number; verdict: Promise<Away | undefined> } | undefined;

  const verdict = async (sinceMs: number): Promise<Away | undefined> => {
    for (;;) {
      const latest = judging;
      const found = await latest?.verdict;
      // That it works is no news of what failed after the probe; that it is away is, for a while.
      const goodFrom = found ? Math.min(sinceMs, now() - judgedMs) : sinceMs;
      if (latest && latest.sentMs >= goodFrom) return found;
      if (judging === latest) judging = { sentMs: now(), verdict: probe() };
    }
  };
  const open: Breaker['open'] = async ({ reason, detail, untilMs }) => {
    const known = away;
    away = new ProviderAway({ provider, reason, detail, untilMs });
    if (!known) await tellOthers(ctx, away);
    return away;
  };
  return {
    assertClosed: () => {
      if (away) throw away;
    },
    succeeded: (sentMs) => {
      answeredMs = Math.max(answeredMs, sentMs);
      failuresInARow = 0;
    },
    failed: () => {
      failuresInARow += 1;
      return failuresInARow >= suspiciousFailures;
    },
    judge: async (sinceMs) => {
      if (away) throw away;
      if (answeredMs > sinceMs) return;
      const found = await verdict(sinceMs);
      failuresInARow = 0;
      // A row's answer that came meanwhile outranks a probe.
      if (!found || answeredMs > sinceMs) return;
      // Over its limit it still works: the row has its turn another time.
      if (found.reason === 'rate_limited')
        throw new RowPostponed((found.untilMs ?? now()) - now(), true);
      throw await open(found);
    },
    open,
  };
}

/** Opens it in the database, then sees to the probes; whoever fails here has still stopped by itself. */
async function tellOthers(
  ctx: Pick<Ctx, 'db' | 'log' | 'qstash' | 'config'>,
  { provider, reason, detail, untilMs }: ProviderAway,
): Promise<void> {
  ctx.log('provider_away', { provider, reason, detail });
  try {
    const wasClosed = await ctx.db.call('provider_open', {
      p_name: provider,
      p_reason: reason,
      p_detail: detail,
      p_until: isoOfMs(untilMs),
    });
    if (!wasClosed) return;
    await publishProbe(ctx, provider);
    if (reason === 'refused') await noticeRefusal(ctx, { provider, detail });
  } catch {
    ctx.log('provider_away_untold', { provider });
  }
}
