import type { Ctx } from '../context.ts';
import { isUnanswered, sideBySide, type SweepPage } from '../shared/side-by-side.ts';
import type { Timeline } from './timeline.pure.ts';
import type { Fact } from './facts.pure.ts';
import { addMonths, monthAt } from './months.pure.ts';
import { nowUsOf, ownTimeUs, refoldUser } from './refold.ts';

/** Users in one page. */
const perPage = 200;
/** Read and posted, with now and then a conflict. */
const callsPerUser = 3;

type Behind = {
  stale_since: string | null;
  next_due_at: string | null;
  allowance_due_at: string | null;
};

/** Whether time alone, or a job's end, has left a user's books behind. */
export function isBehind(ctx: Ctx, user: Behind): boolean {
  const isPast = (time: string | null): boolean =>
    time !== null && Date.parse(time) <= ctx.now().getTime();
  const isFree = ctx.config.freeCreditsPerMonth > 0;
  return (
    user.stale_since !== null ||
    isPast(user.next_due_at) ||
    (isFree && (user.allowance_due_at === null || isPast(user.allowance_due_at)))
  );
}

/** The free month that runs, counted from sign-up; none without a size, or before sign-up. */
function allowanceOf(ctx: Ctx, timeline: Timeline): { fact: Fact; dueUs: number } | undefined {
  const credits = ctx.config.freeCreditsPerMonth;
  if (credits === 0 || timeline.signedUpAt === null) return undefined;
  const signedUp = Math.floor(Date.parse(timeline.signedUpAt) / 1000);
  const month = monthAt(signedUp, Math.floor(ctx.now().getTime() / 1000));
  const key = `allowance:${timeline.userId}:${month}`;
  const dueUs = addMonths(signedUp, month + 1) * 1e6;
  const atUs = ownTimeUs(ctx, timeline);
  const decidedAtMs = Math.floor(nowUsOf(ctx) / 1000);
  return { fact: { kind: 'allowance', key, atUs, decidedAtMs, credits }, dueUs };
}

/** Brings a user's books up to date: what a job's end left to the fold, months, the free month. */
export async function bringUpToDate(ctx: Ctx, userId: string): Promise<void> {
  await refoldUser(ctx, {
    userId,
    tell: (timeline) => {
      const allowance = allowanceOf(ctx, timeline);
      const isKnown = timeline.facts.some(({ key }) => key === allowance?.fact.key);
      return allowance && !isKnown ? [allowance.fact] : [];
    },
    allowanceDueUs: (timeline) => allowanceOf(ctx, timeline)?.dueUs,
  });
}

/** Brings a user's books up to date if they are behind: after a job's end, which does not wait for it. */
export async function settleUser(ctx: Ctx, userId: string): Promise<void> {
  const [user] = await ctx.db.rows<Behind>(
    'select stale_since, next_due_at, allowance_due_at from users where id = $1',
    [userId],
  );
  if (user && isBehind(ctx, user)) await bringUpToDate(ctx, userId);
}

/**
 * Brings users up to date whose books are behind, free months last: all users get one at once when these
 * are switched on. In no order beyond that, so that many who fail hold up nobody.
 */
export async function settleDueUsers(ctx: Ctx): Promise<SweepPage> {
  const due = await ctx.db.rows<{ id: string }>(
    `select id from users
      where stale_since is not null or next_due_at <= $1
        or ($2 and signed_up_at is not null and (allowance_due_at is null or allowance_due_at <= $1))
      order by (stale_since is not null or next_due_at <= $1) is true desc, random() limit $3`,
    [ctx.now().toISOString(), ctx.config.freeCreditsPerMonth > 0, perPage],
  );
  const { worked, isStopped } = await sideBySide(due, ({ id }) => bringUpToDate(ctx, id), {
    onFailure: ({ id }, error) => {
      ctx.log('user_not_settled', { userId: id });
      return isUnanswered(error);
    },
  });
  return {
    worked,
    isMore: due.length === perPage && !isStopped,
    calls: 1 + due.length * callsPerUser,
  };
}
