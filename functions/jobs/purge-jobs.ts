import * as z from 'zod';
import type { Ctx } from '../context.ts';
import type { SweepPage } from '../shared/side-by-side.ts';

/** One short transaction. */
const page = { p_chunks: 2000, p_bytes: 50_000_000 };

const purge = z.strictObject({ jobs: z.int(), chunks: z.int(), isMore: z.boolean() });

/** Removes rows and results that are older than RESULT_RETENTION_DAYS, a part of a job where it has many. */
export async function purgeJobs(ctx: Ctx, size = page): Promise<SweepPage & { purged: number }> {
  const args = { p_days: ctx.config.resultRetentionDays, ...size };
  const { jobs: purged, chunks, isMore } = await ctx.db.call('jobs_purge', args, purge);
  return { purged, worked: purged + chunks, isMore, calls: 1 };
}
