import type { Ctx } from '../context.ts';
import { DomainError } from '../errors.ts';
import { differenceOf } from './difference.pure.ts';
import type { Timeline } from './timeline.pure.ts';
import { isKnown, joinFacts, type Fact } from './facts.pure.ts';
import { timelineAnswer } from './timeline-answer.ts';

/** How often a refold begins anew because the books changed under it. */
const mostTries = 60;

/** Every conflict means that somebody else has come through: the pause grows, at random. */
const pauseOf = (tries: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, Math.random() * Math.min(150, 5 * 2 ** tries));
  });

export const nowUsOf = (ctx: Ctx): number => ctx.now().getTime() * 1000;

/** A user's facts and stored books, in one round trip. Throws `not_found`. */
export async function readTimeline(ctx: Ctx, userId: string): Promise<Timeline> {
  const timeline = await ctx.db.call('ledger_read', { p_user: userId }, timelineAnswer.nullable());
  if (!timeline) throw new DomainError('not_found', 'There is no such user.');
  return timeline;
}

/** Facts with what is told now joined into them; `told`: those that are new or otherwise than before. */
export function learn(known: readonly Fact[], telling: readonly Fact[]) {
  const facts = new Map(known.map((fact) => [fact.key, fact]));
  const told = new Map<string, Fact>();
  for (const fact of telling) {
    const before = facts.get(fact.key);
    if (before && isKnown(before, fact)) continue;
    const joined = before ? joinFacts(before, fact) : fact;
    facts.set(fact.key, joined);
    told.set(fact.key, joined);
  }
  return { facts: [...facts.values()], told: [...told.values()] };
}

type Books = ReturnType<typeof differenceOf>['books'];
export type Posted = ReturnType<typeof differenceOf> & { timeline: Timeline };

/** The books have changed since; as they are now, if that was told along with it. */
export type Conflict = { conflict: Timeline | undefined };

const isConflict = (outcome: unknown): outcome is Conflict =>
  typeof outcome === 'object' && outcome !== null && 'conflict' in outcome;

/** What is told of a user, given their timeline: most facts are the same whoever asks. */
export type Telling = (timeline: Timeline) => readonly Fact[];

/**
 * Folds a user's facts with what is told now, and posts the difference against the version that it read.
 * `post` writes the books, alone or with what made them necessary; when they have changed meanwhile it
 * says so, and all begins anew.
 */
export async function refold<Outcome>(
  ctx: Ctx,
  input: {
    userId: string;
    tell: Telling;
    timeline?: Timeline | undefined;
    post: (books: Books | null, timeline: Timeline) => Promise<Outcome | Conflict>;
  },
): Promise<{ outcome: Outcome; posted: Posted }> {
  let timeline = input.timeline;
  for (let tries = 0; tries < mostTries; tries += 1) {
    if (tries > 0) await pauseOf(tries);
    timeline ??= await readTimeline(ctx, input.userId);
    const { facts, told } = learn(timeline.facts, input.tell(timeline));
    const difference = differenceOf(timeline, facts, { nowUs: nowUsOf(ctx), told });
    const isNeeded = told.length > 0 || timeline.isStale || difference.isDifferent;
    const outcome = await input.post(isNeeded ? difference.books : null, timeline);
    if (!isConflict(outcome)) return { outcome, posted: { ...difference, timeline } };
    timeline = outcome.conflict;
  }
  throw new DomainError('service_unavailable', 'The account is busy; try again shortly.', {
    extra: { part: 'ledger' },
    retryAfterSeconds: 1,
  });
}

/** Posts what is told of a user by ourselves, or only what has become due. */
export async function refoldUser(
  ctx: Ctx,
  input: {
    userId: string;
    tell?: Telling;
    /** When the next free month falls due, microseconds since 1970. */
    allowanceDueUs?: (timeline: Timeline) => number | undefined;
  },
): Promise<Posted> {
  const { userId, tell = () => [], allowanceDueUs = () => undefined } = input;
  const { posted } = await refold(ctx, {
    userId,
    tell,
    post: async (books, timeline) => {
      if (!books) return 'posted';
      const p = { ...books, allowanceDueUs: allowanceDueUs(timeline) ?? null };
      const outcome = await ctx.db.call('ledger_post_fold', { p });
      return outcome === 'conflict' ? { conflict: undefined } : 'posted';
    },
  });
  return posted;
}

/** The time of a fact of ours: by our clock, and after everything that the user's books know. */
export function ownTimeUs(ctx: Ctx, { newestPosition }: Timeline): number {
  const newest = newestPosition?.match(/^(\d{11})\.\d\d\.(\d{6})/);
  const newestUs = newest ? Number(newest[1]) * 1e6 + Number(newest[2]) : 0;
  return Math.max(nowUsOf(ctx), newestUs + 1);
}
