import type { Ctx } from '../context.ts';
import { isoOfUs } from '../shared/time.pure.ts';
import type { SuspensionFact } from './facts.pure.ts';
import { findUser } from './find-user.ts';
import { tellOnce } from './tell-once.ts';

export type SuspensionRequest = {
  /** Our id or the external one. */
  user: string;
  action: 'suspend' | 'lift';
  reason: string;
  idempotencyKey?: string | undefined;
};

/**
 * Suspends a user, so that no job can be started, or lifts whatever suspends them: an operator's word or a
 * dispute from before it. The same idempotency key with the same request gives the first answer
 * (`replayed`), with another one it is `idempotency_key_reused`; `not_found` for nobody.
 */
export async function suspendUser(ctx: Ctx, input: SuspensionRequest) {
  const { action, reason } = input;
  const userId = await findUser(ctx, input.user);
  const { fact, replayed } = await tellOnce<SuspensionFact>(ctx, {
    userId,
    key: `suspension:${input.idempotencyKey ?? crypto.randomUUID()}`,
    make: (told) => ({ kind: 'suspension', ...told, action, reason }),
    isSame: (known) => known.action === action && known.reason === reason,
  });
  ctx.log('suspension', { userId, action, replayed });
  const suspended = action === 'suspend' ? { since: isoOfUs(fact.atUs), reason } : null;
  return { suspended, replayed };
}
