import type { Ctx } from '../context.ts';
import { DomainError } from '../errors.ts';
import { entryView, type EntryRow } from './entry-view.pure.ts';
import type { AdjustmentFact } from './facts.pure.ts';
import { findUser } from './find-user.ts';
import { latestUs } from './difference.pure.ts';
import { fold } from './fold.pure.ts';
import { nowUsOf } from './refold.ts';
import { tellOnce } from './tell-once.ts';

export type Adjustment = {
  /** Our id or the external one. */
  user: string;
  amount: number;
  reason: string;
  idempotencyKey?: string | undefined;
};

/** The entry of a correction. */
async function entryUnder(ctx: Ctx, key: string): Promise<EntryRow> {
  const [row] = await ctx.db.rows<{ entry: EntryRow }>(
    'select to_jsonb(e) as entry from credit_entries e where e.idempotency_key = $1',
    [key],
  );
  if (!row) throw new Error('The correction was not posted.');
  return row.entry;
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
  const { replayed } = await tellOnce<AdjustmentFact>(ctx, {
    userId,
    key,
    make: (told, { facts }) => {
      // What is stored may be behind: a job's end may have left credits to the fold.
      const { books } = fold(facts, latestUs(facts, nowUsOf(ctx)));
      assertBalance(books.balance, amount);
      return { kind: 'adjustment', ...told, credits: amount, reason };
    },
    isSame: (known) => known.credits === amount && known.reason === reason,
  });
  const entry = await entryUnder(ctx, key);
  ctx.log('credits_adjusted', { userId, entryId: String(entry.id), amount, replayed });
  return { userId, entry: entryView(entry), balance: entry.balance_after, replayed };
}
