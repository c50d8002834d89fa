import type { Ctx } from '../deps.ts';
import { DomainError } from '../errors.ts';
import { isoOfUs } from '../shared/time.pure.ts';
import type { SuspensionFact } from './facts.pure.ts';
import { findUser } from './find-user.ts';
import { ownTimeUs, refoldUser } from './refold.ts';

export type SuspensionRequest = {
  /** Our id or the external one. */
  user: string;
  action: 'suspend' | 'lift';
  reason: string;
  idempotencyKey?: string | undefined;
};

type Known = { userId: string; fact: SuspensionFact };

async function knownUnder(ctx: Ctx, key: string): Promise<Known | undefined> {
  const [known] = await ctx.db.rows<Known>(
    'select user_id as "userId", body as fact from credit_facts where key = $1',
    [key],
  );
  return known;
}

/**
 * Suspends a user, so that no job can be started, or lifts whatever suspends them: an operator's word or a
 * dispute from before it. The same idempotency key with the same request gives the first answer
 * (`replayed`), with another one it is `idempotency_key_reused`; `not_found` for nobody.
 */
export async function suspendUser(ctx: Ctx, input: SuspensionRequest) {
  const { action, reason } = input;
  const userId = await findUser(ctx, input.user);
  const key = `suspension:${input.idempotencyKey ?? crypto.randomUUID()}`;
  let known = await knownUnder(ctx, key);
  let replayed = known !== undefined;
  if (!known) {
    await refoldUser(ctx, {
      userId,
      tell: (timeline) => {
        replayed = timeline.facts.some((fact) => fact.key === key);
        if (replayed) return [];
        const decidedAtMs = ctx.now().getTime();
        const atUs = ownTimeUs(ctx, timeline);
        return [{ kind: 'suspension', key, atUs, decidedAtMs, action, reason }];
      },
    });
    known = await knownUnder(ctx, key);
  }
  if (!known) throw new Error('The suspension was not posted.');
  const { fact } = known;
  if (known.userId !== userId || fact.action !== action || fact.reason !== reason)
    throw new DomainError(
      'idempotency_key_reused',
      'This Idempotency-Key belongs to another request.',
    );
  ctx.log('suspension', { userId, action, replayed });
  const suspended = action === 'suspend' ? { since: isoOfUs(fact.atUs), reason } : null;
  return { suspended, replayed };
}
