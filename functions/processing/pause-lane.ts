import * as z from 'zod';
import { queueTimeoutMs, timeLimit } from '../clients/time-limit.ts';
import type { Ctx } from '../context.ts';

const heldBack = `
  select 1 from paused_lanes l where lane = $1
    and exists (select 1 from providers p where p.name = l.provider and p.opened_at is not null) limit 1`;

/**
 * Holds a lane's messages back until one of the providers works again; they cost nothing meanwhile. False: that
 * is not so, since one works already.
 */
export async function pauseLane(ctx: Ctx, lane: string, providers: string[]): Promise<boolean> {
  const isDue = await ctx.db.call('lane_pause', { p_lane: lane, p_providers: providers });
  if (isDue)
    await timeLimit(queueTimeoutMs, ctx.qstash.flowControl.pause(lane)).catch(
      async (error: unknown) => {
        // Others must not take it for paused.
        await ctx.db.call('lane_resumed', { p_lane: lane });
        throw error;
      },
    );
  const [held] = await ctx.db.rows(heldBack, [lane]);
  if (held) return true;
  // A provider that came back meanwhile may have resumed the lane before it was paused.
  if (isDue) await resumeLane(ctx, lane);
  return false;
}

async function resumeLane(ctx: Ctx, lane: string): Promise<void> {
  await timeLimit(queueTimeoutMs, ctx.qstash.flowControl.resume(lane));
  await ctx.db.call('lane_resumed', { p_lane: lane });
}

/** Lets the lanes run again whose provider works. What fails here, the cron does. */
export async function resumeLanes(ctx: Ctx): Promise<void> {
  const lanes = await ctx.db.call('lanes_to_resume', {}, z.array(z.string()));
  for (const lane of lanes)
    await resumeLane(ctx, lane).catch(() => {
      ctx.log('lane_not_resumed', {});
    });
}
