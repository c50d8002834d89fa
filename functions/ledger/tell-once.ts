import type { Ctx } from '../context.ts';
import { DomainError } from '../errors.ts';
import type { Fact } from './facts.pure.ts';
import { ownTimeUs, refoldUser } from './refold.ts';
import type { Timeline } from './timeline.pure.ts';

/** A fact as it is stored, whoever it is of. */
type Known<F extends Fact> = { userId: string; fact: F };

async function knownUnder<F extends Fact>(ctx: Ctx, key: string): Promise<Known<F> | undefined> {
  const [known] = await ctx.db.rows<Known<F>>(
    'select user_id as "userId", body as fact from credit_facts where key = $1',
    [key],
  );
  return known;
}

/**
 * Tells a fact of ours once under the key that its request came with: the same request gets the first answer
 * (`replayed`), another one `idempotency_key_reused`. `make` may refuse by throwing.
 */
export async function tellOnce<F extends Fact>(
  ctx: Ctx,
  input: {
    userId: string;
    key: string;
    make: (told: Pick<F, 'key' | 'atUs' | 'decidedAtMs'>, timeline: Timeline) => F;
    /** Whether a stored fact is what this request asks for. */
    isSame: (fact: F) => boolean;
  },
): Promise<{ fact: F; replayed: boolean }> {
  const { userId, key } = input;
  let known = await knownUnder<F>(ctx, key);
  let replayed = known !== undefined;
  if (!known) {
    await refoldUser(ctx, {
      userId,
      tell: (timeline) => {
        replayed = timeline.facts.some((fact) => fact.key === key);
        if (replayed) return [];
        const decidedAtMs = ctx.now().getTime();
        return [input.make({ key, atUs: ownTimeUs(ctx, timeline), decidedAtMs }, timeline)];
      },
    });
    known = await knownUnder<F>(ctx, key);
  }
  if (!known) throw new Error('What was told was not posted.');
  if (known.userId !== userId || !input.isSame(known.fact))
    throw new DomainError(
      'idempotency_key_reused',
      'This Idempotency-Key belongs to another request.',
    );
  return { fact: known.fact, replayed };
}
