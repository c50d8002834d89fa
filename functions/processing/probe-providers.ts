import * as z from 'zod';
import type { Ctx } from '../context.ts';
import { noticeRefusal } from '../notices/refused-key.ts';
import type { SlotFetch } from '../providers/connection-limiter.ts';
import { awayReasons, type Away } from '../providers/errors.pure.ts';
import { publishProbe } from '../providers/probe-message.ts';
import { probeProvider } from '../providers/probe.ts';
import { rateKeyOf } from '../providers/rate-store.ts';
import { isoOfMs } from '../shared/time.pure.ts';
import { resumeLanes } from './pause-lane.ts';

/** Longer than a probe takes: who has it is gone by then. */
const probeSeconds = 20;
/** How long one delivery goes on probing by itself; each further one costs a message. */
const longestMs = 20_000;
/** How much later than due a probe is nobody's any more. */
const lateSeconds = 25;

/** Seconds to the next probe: an outage that is young may be over soon, a refusal needs somebody to mend it. */
function pauseSeconds(reason: Away['reason'], awayMs: number): number {
  if (awayMs < 120_000) return reason === 'refused' ? 5 : 3;
  if (awayMs < 600_000) return 10;
  return reason === 'refused' ? 60 : 30;
}

const turn = z
  .strictObject({
    isMine: z.boolean(),
    openedAt: z.string(),
    reason: z.enum(awayReasons),
    probesFailed: z.int(),
    dueMs: z.number(),
  })
  .nullable();

/** How a chain of probes reaches the provider, and how it lets time pass. */
export type ProbeBy = { fetch?: SlotFetch; wait?: (ms: number) => Promise<void> };

const waitForReal = (ms: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, ms));

/** One probe, if it is due. → ms to the next one; undefined: the provider works. */
async function probeOnce(ctx: Ctx, name: string, fetch?: SlotFetch): Promise<number | undefined> {
  const begun = await ctx.db.call(
    'provider_probe_begin',
    { p_name: name, p_seconds: probeSeconds },
    turn,
  );
  if (!begun) return undefined;
  if (!begun.isMine) return begun.dueMs;
  const away = isKnown(ctx, name) ? await probeProvider(ctx, name, fetch) : undefined;
  if (!away) {
    await ctx.db.call('provider_close', { p_name: name });
    if (begun.reason === 'refused') await forgetPace(ctx, name);
    ctx.log('provider_back', { provider: name, probesFailed: begun.probesFailed });
    await resumeLanes(ctx);
    return undefined;
  }
  const seconds = pauseSeconds(away.reason, ctx.now().getTime() - Date.parse(begun.openedAt));
  await ctx.db.call('provider_probe_failed', {
    p_name: name,
    p_reason: away.reason,
    p_detail: away.detail,
    p_seconds: seconds,
    p_until: isoOfMs(away.untilMs),
  });
  if (away.reason === 'refused' && begun.reason !== 'refused')
    await noticeRefusal(ctx, { provider: name, detail: away.detail });
  return Math.max(seconds * 1000, (away.untilMs ?? 0) - ctx.now().getTime());
}

/** A 429 that said that the money was spent taught nothing of a limit. Without Redis nobody knows of it. */
const forgetPace = async ({ redis }: Ctx, name: string): Promise<void> => {
  await redis.del(rateKeyOf(name)).catch(() => undefined);
};

/** One that was taken out of the configuration holds nobody up. */
const isKnown = ({ config }: Ctx, name: string): boolean =>
  name === 'search' || config.models.some((model) => model.name === name);

/** A queue's delay may not be longer. */
const longestDelaySeconds = 3600;

/**
 * Probes a provider that is away until it works, a while by itself, then by another message. Twice at once does
 * no harm: the database says whose turn it is.
 */
export async function probeUntilBack(
  ctx: Ctx,
  { provider }: { provider: string },
  { fetch, wait = waitForReal }: ProbeBy = {},
): Promise<{ provider: string; works: boolean }> {
  const beganMs = ctx.now().getTime();
  for (;;) {
    const waitMs = await probeOnce(ctx, provider, fetch);
    if (waitMs === undefined) return { provider, works: true };
    if (ctx.now().getTime() - beganMs + waitMs < longestMs) {
      await wait(waitMs);
      continue;
    }
    const delaySeconds = Math.min(longestDelaySeconds, Math.ceil(waitMs / 1000));
    await publishProbe(ctx, provider, delaySeconds);
    return { provider, works: false };
  }
}

/** For the cron: probes that nobody makes any more, and lanes that nobody let run again. */
export async function probeForgottenProviders(ctx: Ctx, by: ProbeBy = {}): Promise<void> {
  const names = await ctx.db.call(
    'providers_unprobed',
    { p_seconds: lateSeconds },
    z.array(z.string()),
  );
  await Promise.all(names.map((provider) => probeUntilBack(ctx, { provider }, by)));
  await resumeLanes(ctx);
}
