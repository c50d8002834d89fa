import type { Ctx } from '../deps.ts';
import { DomainError } from '../errors.ts';
import { entryView, type EntryRow } from './entry-view.pure.ts';
import type { AdjustmentFact } from './facts.pure.ts';
import { findUser } from './find-user.ts';
import { latestUs } from './difference.pure.ts';
import { fold } from './fold.pure.ts';
import { nowUsOf, ownTimeUs, refoldUser } from './refold.ts';

export type Adjustment = {
  /** Our id or the external one. */
  user: string;
  amount: number;
  reason: string;
  idempotencyKey?: string | undefined;
};

type Known = { userId: string; fact: AdjustmentFact; entry: EntryRow };

/** The correction that was posted under a key, whoever it was for. */
async function knownUnder(ctx: Ctx, key: string): Promise<Known | undefined> {
  const [known] = await ctx.db.rows<Known>(
    `select f.user_id as "userId", f.body as fact, to_jsonb(e) as entry
      from credit_facts f join credit_entries e on e.idempotency_key = f.key where f.key = $1`,
    [key],
  );
  return known;
}

const isBalanceOf = (balance: number): boolean => balance >= 0 && Number.isSafeInteger(balance);

/** Throws when a balance would leave what can be counted. */
function assertBalance(balance: number, amount: number): void {
  if (isBalanceOf(balance + amount)) return;
  if (amount < 0)
    throw new DomainError('balance_too_low', 'More than the balance cannot be taken back.', {
      extra: { requested: -amount, balance },
    });
  throw new DomainError('invalid_request', 'Some fields do not fit.', {
    extra: {
      balance,
      errors: [{ field: 'amount', message: 'would make the balance too large' }],
    },
  });
}

/**
 * An operator's correction: `amount` > 0 adds bonus credits, < 0 takes credits back (bonus, then
 * purchased, then plan). Taking more than there is changes nothing and is `balance_too_low` with the
 * balance. The same idempotency key with the same request gives the first answer (`replayed`), with
 * another one it is `idempotency_key_reused`. `user` is our id or the external one; `not_found` for nobody.
 */
export async function adjustCredits(ctx: Ctx, input: Adjustment) {
  const { amount, reason } = input;
  const userId = await findUser(ctx, input.user);
  const key = `admin:${input.idempotencyKey ?? crypto.randomUUID()}`;
  let known = await knownUnder(ctx, key);
  let replayed = known !== undefined;
  if (!known) {
    await refoldUser(ctx, {
      userId,
      tell: (timeline) => {
        replayed = timeline.facts.some((fact) => fact.key === key);
        if (replayed) return [];
        // What is stored may be behind: a job's end may have left credits to the fold.
        const { books } = fold(timeline.facts, latestUs(timeline.facts, nowUsOf(ctx)));
        assertBalance(books.balance, amount);
        const decidedAtMs = ctx.now().getTime();
        const atUs = ownTimeUs(ctx, timeline);
        return [{ kind: 'adjustment', key, atUs, decidedAtMs, credits: amount, reason }];
      },
    });
    known = await knownUnder(ctx, key);
  }
  if (!known) throw new Error('The correction was not posted.');
  const { fact, entry } = known;
  if (known.userId !== userId || fact.credits !== amount || fact.reason !== reason)
    throw new DomainError(
      'idempotency_key_reused',
      'This Idempotency-Key belongs to another request.',
    );
  ctx.log('credits_adjusted', { userId, entryId: String(entry.id), amount, replayed });
  return { userId, entry: entryView(entry), balance: entry.balance_after, replayed };
}
