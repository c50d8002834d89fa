import * as z from 'zod';
import { queueTimeoutMs, timeLimit } from '../clients/time-limit.ts';
import type { Ctx } from '../context.ts';

const heldBack = `
  select 1 from paused_lanes l where lane = $1
    and exists (select 1 from providers p where p.name = l.provider and p.opened_at is not null) limit 1`;

/**
 * Holds a lane's messages back until one of the providers works again; they cost nothing meanwhile. False: that
 * is not so, since one works already. The lane is noted before the queue hears of it, and as long as a pause may
 * still reach the queue: whoever dies or gives up here leaves it to the cron.
 */
export async function pauseLane(ctx: Ctx, lane: string, providers: string[]): Promise<boolean> {
  const isDue = await ctx.db.call('lane_pause', { p_lane: lane, p_providers: providers });
  if (isDue)
    await timeLimit(queueTimeoutMs, ctx.qstash.flowControl.pause(lane)).catch(
      async (error: unknown) => {
        // Others must not take it for paused.
        await ctx.db.call('lane_pause_failed', { p_lane: lane });
        throw error;
      },
    );
  const [held] = await ctx.db.rows(heldBack, [lane]);
  if (held) return true;
  // A provider that came back meanwhile may have resumed the lane before it was paused.
  if (isDue) await resume(ctx, lane);
  return false;
}

const resume = (ctx: Ctx, lane: string): Promise<unknown> =>
  timeLimit(queueTimeoutMs, ctx.qstash.flowControl.resume(lane));

const toResume = z.strictObject({ lanes: z.array(z.string()), pausedBefore: z.string() });

/**
 * Lets the lanes run again whose provider works; those that were paused in the last minute once more with a
 * later call, since a pause on its way may overtake this. What fails here, the cron does.
 */
export async function resumeLanes(ctx: Ctx): Promise<void> {
  const { lanes, pausedBefore } = await ctx.db.call('lanes_to_resume', {}, toResume);
  const resumed: string[] = [];
  for (const lane of lanes)
    await resume(ctx, lane).then(
      () => resumed.push(lane),
      () => ctx.log('lane_not_resumed', {}),
    );
  if (resumed.length > 0)
    await ctx.db.call('lanes_resumed', { p_lanes: resumed, p_paused_before: pausedBefore });
}
