import type { Ctx } from '../context.ts';
import { DomainError } from '../errors.ts';
import { auditOf, isMendable, type StoredBooks } from './audit.pure.ts';
import { booksAnswer } from './books-answer.ts';
import { differenceOf } from './difference.pure.ts';
import { findUser } from './find-user.ts';
import { nowUsOf } from './refold.ts';

/** How often it begins anew because the books changed under it. */
const mostTries = 5;

/** What a refold by the present fold changes, as of one moment: against the entries, which stay. */
function changeOf(stored: StoredBooks, nowUs: number) {
  const timeline = { ...stored.timeline, moved: stored.moved };
  const { books } = differenceOf(timeline, timeline.facts, { nowUs, told: [] });
  const differs = auditOf(stored, nowUs);
  const known = new Map(timeline.lots.map((lot) => [lot.key, lot]));
  const gone = books.goneLots.flatMap((key) => known.get(key) ?? []);
  const lots = [...books.lots, ...gone.map((lot) => ({ ...lot, remaining: 0 }))]
    .map(({ key, kind, remaining }) => ({
      key,
      kind,
      before: known.get(key)?.remaining ?? 0,
      after: remaining,
    }))
    .filter(({ before, after }) => before !== after);
  const { plan, bonus, purchased } = books.totals;
  return {
    books,
    isNeeded: isMendable(differs) || timeline.isStale,
    change: {
      userId: timeline.userId,
      foldVersion: { stored: timeline.foldVersion, present: books.foldVersion },
      differs: differs?.kinds ?? [],
      balance: { before: timeline.balance, after: plan + bonus + purchased },
      lots,
      entries: books.entries.map(({ kind, factKey, ...entry }) => ({
        kind,
        factKey,
        amount: entry.plan + entry.bonus + entry.purchased,
        lots: { plan: entry.plan, bonus: entry.bonus, purchased: entry.purchased },
      })),
    },
  };
}

/**
 * What a refold by the present fold changes in a user's books: lots, the balance, and the entries that say
 * so. Posted unless `dryRun`; where nothing differs, nothing is written. `user` is our id or the external
 * one; throws `not_found`.
 */
export async function refoldBooks(ctx: Ctx, input: { user: string; dryRun: boolean }) {
  const userId = await findUser(ctx, input.user);
  for (let tries = 0; tries < mostTries; tries += 1) {
    const stored = await ctx.db.call('books_read', { p_user: userId }, booksAnswer);
    const { books, isNeeded, change } = changeOf(stored, nowUsOf(ctx));
    if (!isNeeded || input.dryRun) return { ...change, posted: false };
    if ((await ctx.db.call('ledger_post_fold', { p: books })) === 'conflict') continue;
    ctx.log('books_refolded', { userId, entries: books.entries.length });
    return { ...change, posted: true };
  }
  throw new DomainError('service_unavailable', 'The account is busy; try again shortly.', {
    extra: { part: 'ledger' },
    retryAfterSeconds: 1,
  });
}
