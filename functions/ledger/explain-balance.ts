import * as z from 'zod';
import type { Ctx } from '../context.ts';
import { DomainError } from '../errors.ts';
import { isoOfUs } from '../shared/time.pure.ts';
import { differenceOf } from './difference.pure.ts';
import { entitled } from './entitlement.pure.ts';
import {
  cursorText,
  explainedView,
  lotView,
  openView,
  paymentViews,
  readCursor,
  stepPage,
  stepView,
  type ExplainedRow,
  type OpenEvent,
} from './explain-balance.pure.ts';
import { findUser } from './find-user.ts';
import { standingsOf } from './fold.pure.ts';
import { nowUsOf } from './refold.ts';
import { timelineAnswer } from './timeline-answer.ts';

const explained = z.strictObject({
  timeline: timelineAnswer,
  account: z.strictObject({
    externalId: z.string().nullable(),
    plan: z.int(),
    bonus: z.int(),
    purchased: z.int(),
  }),
  entries: z.custom<ExplainedRow[]>(Array.isArray, 'not a list of entries'),
  open: z.strictObject({
    events: z.custom<OpenEvent[]>(Array.isArray, 'not a list of events'),
    complete: z.boolean(),
  }),
});

const noCursor = () =>
  new DomainError('invalid_request', 'Some fields do not fit.', {
    extra: { errors: [{ field: 'cursor', message: 'is not a cursor of ours' }] },
  });

/**
 * Why a user's balance is what it is, as of one moment: the fold of the user's facts, step by step.
 * `agrees`: the sum of all entries is the balance, and both are what the facts come to, lot by lot.
 * `timeline` and `entries` come newest first, page by page, from one cursor. `pendingEvents` are not in the
 * balance yet; `pendingEventsComplete` is false when there were too many to look through. `user` is our id
 * or the external one; throws `not_found`.
 */
export async function explainBalance(
  ctx: Ctx,
  input: { user: string; limit: number; cursor?: string | undefined },
) {
  const userId = await findUser(ctx, input.user);
  const before = input.cursor === undefined ? undefined : readCursor(input.cursor);
  if (before === null) throw noCursor();
  const told = { p_user: userId, p_limit: input.limit, ...(before && { p_cursor: before.entry }) };
  const found = await ctx.db.call('credits_explain', told, explained);
  const { timeline, account, open } = found;
  const { externalId, ...credits } = account;
  const nowUs = nowUsOf(ctx);
  const { folded, books } = differenceOf(timeline, timeline.facts, { nowUs, told: [] });
  const { suspended, shortfall } = folded;
  // Whose customers are has no time, and moves nothing.
  const steps = folded.steps.filter(({ fact }) => fact?.kind !== 'customer');
  const plan = entitled(standingsOf(folded), nowUs);

  const page = stepPage(steps, input.limit, before?.step);
  if (!page) throw noCursor();
  const entries = found.entries.slice(0, input.limit);
  const isLast = found.entries.length === entries.length && (page.at(-1) ?? steps[0]) === steps[0];
  const byKey = new Map(steps.map((step) => [step.key, step]));
  const { balance, sum } = timeline;
  return {
    userId,
    externalId,
    balance,
    sum,
    agrees:
      sum === balance &&
      balance === folded.books.balance &&
      books.lots.length + books.goneLots.length === 0,
    held: timeline.held,
    credits,
    unlimited: plan?.credits === null,
    plan: plan?.plan ?? null,
    shortfall,
    suspended: suspended && { since: isoOfUs(suspended.sinceUs), reason: suspended.reason },
    lots: folded.books.lots.map(lotView),
    payments: paymentViews(folded, timeline.facts),
    timeline: page.map(stepView),
    entries: entries.map((row) => explainedView(row, byKey)),
    pendingEvents: open.events.map(openView),
    pendingEventsComplete: open.complete,
    nextCursor: isLast
      ? null
      : cursorText({
          entry: entries.at(-1)?.id ?? before?.entry ?? 0,
          step: page.at(-1)?.key ?? before?.step ?? '',
        }),
  };
}
