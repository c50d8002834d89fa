import { queueTimeoutMs, timeLimit } from '../clients/time-limit.ts';
import type { Ctx } from '../context.ts';
import type { SweepPage } from '../shared/side-by-side.ts';

/**
 * Work that falls due by itself, done in pages. Any number may run side by side: what a page works, the
 * database gives to it alone, or it may be done twice.
 */
export type Sweep = {
  name: string;
  /** Begins a run; each call of what it gives works one bounded page, which begins nothing new after `untilMs`. */
  begin: (ctx: Ctx) => (untilMs: number) => Promise<SweepPage>;
};

/** A chain goes on at every full slot; a run is over a little before the next one begins. */
const slotMs = 20_000;
const slotRunMs = 17_000;

/**
 * Has the queue go on at the next full slot. Whoever is over in the same slot sends the same message, which
 * is delivered once: the cron of every minute and a chain do not multiply.
 */
async function handOver(ctx: Ctx, name: string): Promise<void> {
  const slot = Math.floor(ctx.now().getTime() / slotMs) + 1;
  const published = ctx.qstash.publishJSON({
    url: `${ctx.config.publicUrl}/queue/sweeps`,
    body: { name },
    // The cron takes up a chain that broke.
    retries: 0,
    notBefore: (slot * slotMs) / 1000,
    deduplicationId: `sweep-${name}-${slot}`,
    flowControl: { key: `sweep-${name}`, parallelism: 1 },
  });
  await timeLimit(queueTimeoutMs, published);
}

export type Swept = { name: string; worked: number; isHandedOver: boolean };

/**
 * Works page after page until nothing is due, or hands over to the queue when time or subrequests are over.
 * A page that brings nothing forward ends it: the cron comes again. Throws what a page throws.
 */
export async function sweep(
  ctx: Ctx,
  { name, begin }: Sweep,
  { mostCalls, longestMs = slotRunMs }: { mostCalls: number; longestMs?: number },
): Promise<Swept> {
  const untilMs = ctx.now().getTime() + longestMs;
  const work = begin(ctx);
  let [worked, calls, isHandedOver] = [0, 0, false];
  for (;;) {
    const page = await work(untilMs);
    worked += page.worked;
    calls += page.calls;
    if (!page.isMore || page.worked === 0) break;
    if (ctx.now().getTime() < untilMs && calls < mostCalls) continue;
    isHandedOver = await handOver(ctx, name).then(
      () => true,
      () => false,
    );
    if (!isHandedOver) ctx.log('sweep_not_handed_over', { name });
    break;
  }
  if (worked > 0) ctx.log('swept', { name, worked, calls, isHandedOver });
  return { name, worked, isHandedOver };
}
