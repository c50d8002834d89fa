import type { Ctx } from '../deps.ts';
import { DomainError } from '../errors.ts';
import { entryView } from './entry-view.pure.ts';
import type { ExplainedRow } from './explain-balance.pure.ts';

type Outcome =
  | { outcome: 'posted' | 'replayed'; entry: ExplainedRow }
  | { outcome: 'balance_too_low' | 'balance_too_high'; balance: number }
  | { outcome: 'unknown_user' | 'key_reused' };

/**
 * An operator's correction: `amount` > 0 adds bonus credits, < 0 takes credits back (bonus, then plan,
 * then purchased). Taking more than there is changes nothing and is `balance_too_low` with the balance.
 * The same idempotency key with the same request gives the first answer (`replayed`), with another one
 * it is `idempotency_key_reused`. `user` is our id or the external one; `not_found` for nobody.
 */
export async function adjustCredits(
  ctx: Ctx,
  input: { user: string; amount: number; reason: string; idempotencyKey?: string | undefined },
) {
  const answer = await ctx.db.call<Outcome>('credits_adjust', {
    p_user: input.user,
    p_amount: input.amount,
    p_reason: input.reason,
    p_key: `admin:${input.idempotencyKey ?? crypto.randomUUID()}`,
  });
  switch (answer.outcome) {
    case 'unknown_user':
      throw new DomainError('not_found', 'There is no such user.');
    case 'key_reused':
      throw new DomainError(
        'idempotency_key_reused',
        'This Idempotency-Key belongs to another request.',
      );
    case 'balance_too_low':
      throw new DomainError('balance_too_low', 'More than the balance cannot be taken back.', {
        extra: { requested: -input.amount, balance: answer.balance },
      });
    case 'balance_too_high':
      throw new DomainError('invalid_request', 'Some fields do not fit.', {
        extra: {
          balance: answer.balance,
          errors: [{ field: 'amount', message: 'would make the balance too large' }],
        },
      });
    default:
      return posted(ctx, answer, input.amount);
  }
}

function posted(ctx: Ctx, answer: Extract<Outcome, { entry: unknown }>, amount: number) {
  const { entry, outcome } = answer;
  const replayed = outcome === 'replayed';
  const userId = (entry as ExplainedRow & { user_id: string }).user_id;
  ctx.log('credits_adjusted', { userId, entryId: String(entry.id), amount, replayed });
  return { entry: entryView(entry), balance: entry.balance_after, replayed };
}
