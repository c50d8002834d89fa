import Stripe from 'stripe';
import * as z from 'zod';
import type { Ctx } from '../deps.ts';
import { differenceOf } from '../ledger/difference.pure.ts';
import type { Timeline } from '../ledger/timeline.pure.ts';
import { timelineOf, type Fact, type StateFact } from '../ledger/facts.pure.ts';
import { isSameState, isTie } from '../ledger/state-order.pure.ts';
import { learn, nowUsOf, readTimeline, refold, type Posted } from '../ledger/refold.ts';
import { timelineAnswer } from '../ledger/timeline-answer.ts';
import { askSession, isToAsk } from './ask-session.ts';
import { knowledgeOf, readCatalogue } from './catalogue.ts';
import { read } from './read-event.pure.ts';
import type { Reading, StripeEvent } from './reading.pure.ts';
import { whoAnswer } from './who-answer.ts';
import { asChosen, chosenFact, claimOf, type Claim } from './whose.pure.ts';

export type Facts = Extract<Reading, { facts: Fact[] }>;
type Failed = Extract<Reading, { fail: object }>;

/** An event as the inbox keeps it: its payload is text, which nothing but a retry reads. */
export type InboxRow = {
  event: Pick<StripeEvent, 'id' | 'type' | 'created' | 'apiVersion'> & { objectId: string | null };
  /** Null: the inbox has it already. */
  payload: string | null;
};

/** How SQL answers that an event, or what was read from Stripe, is in the books. */
const stored = z.strictObject({
  outcome: z.literal('stored'),
  status: z.literal('completed'),
  userId: z.string(),
  jobsAwait: z.boolean(),
  eventsDue: z.boolean(),
});
export type Stored = z.infer<typeof stored>;

const postedAnswer = z.discriminatedUnion('outcome', [
  stored,
  z.strictObject({ outcome: z.literal('duplicate') }),
  z.strictObject({ outcome: z.literal('conflict'), timeline: timelineAnswer }),
]);

/** Facts as they are told: a reversal belongs to the payment that was found for it. */
export const factsOf = ({ facts }: Facts, payment: string | null): Fact[] =>
  facts.map((fact) =>
    fact.kind === 'reversal' && fact.payment === '' && payment !== null
      ? { ...fact, payment }
      : fact,
  );

/** The ids of what facts are about: what waits for one of these is due. */
export const objectsOf = (facts: readonly Fact[]): string[] =>
  facts.flatMap((fact) => {
    switch (fact.kind) {
      case 'state':
        return fact.subscription;
      case 'invoice':
      case 'plan':
        return [fact.invoice, fact.subscription];
      case 'pack':
        return fact.session;
      case 'reversal':
        return fact.reversal;
      default:
        return [];
    }
  });

/** An object of Stripe's as the event that would have brought it at a moment, unix seconds. */
export const eventOf = (type: string, object: object, at: number): StripeEvent => ({
  id: '',
  type,
  created: at,
  apiVersion: null,
  payload: { type, created: at, data: { object } },
});

/** When Stripe answered, unix seconds by its own clock. */
export const answeredAt = (ctx: Ctx, answer: Stripe.Response<object>): number => {
  const date = Date.parse(answer.lastResponse.headers['date'] ?? '') || ctx.now().getTime();
  return Math.floor(date / 1000);
};

/** The subscription as Stripe has it at this moment, as facts. */
async function stateNow(ctx: Ctx, id: string): Promise<Fact[]> {
  try {
    const subscription = await ctx.stripe.subscriptions.retrieve(id);
    const event = eventOf(
      'customer.subscription.updated',
      subscription,
      answeredAt(ctx, subscription),
    );
    const reading = read(event, knowledgeOf(ctx, await readCatalogue(ctx)));
    return 'facts' in reading ? reading.facts.map((fact) => asRead(ctx, fact)) : [];
  } catch (error) {
    if (!(error instanceof Stripe.errors.StripeError)) throw error;
    ctx.log('stripe_not_asked', { subscriptionId: id, error: error.type });
    return [];
  }
}

/** Two updates of one second that do not tell which came first: what is now settles what holds. */
async function tieBreakers(ctx: Ctx, timeline: Timeline, facts: readonly Fact[]): Promise<Fact[]> {
  const isState = (fact: Fact): fact is StateFact => fact.kind === 'state';
  const { told } = learn(timeline.facts, facts);
  const known = timeline.facts.filter(isState);
  const tied = told.filter(isState).find((state) => known.some((other) => isTie(state, other)));
  return tied ? stateNow(ctx, tied.subscription) : [];
}

/** Folds a user's facts with those of a reading and writes the difference; `row` is stored with it. */
export async function applyByFold(
  ctx: Ctx,
  input: {
    reading: Facts;
    payment: string | null;
    claim?: Claim | undefined;
    timeline: Timeline;
    row?: InboxRow;
  },
): Promise<{ outcome: Stored | { outcome: 'duplicate' }; posted: Posted }> {
  const { reading, claim, timeline, row } = input;
  const { identity, links, changes, notices } = reading;
  const facts = factsOf(reading, input.payment);
  const settling = await tieBreakers(ctx, timeline, facts);
  const all = [...facts, ...(claim?.isChosen ? settling.map(chosenFact) : settling)];
  return refold<Stored | { outcome: 'duplicate' }>(ctx, {
    userId: timeline.userId,
    timeline,
    tell: () => all,
    post: async (books) => {
      const answer = await ctx.db.call(
        'stripe_event_post_fold',
        {
          p: {
            identity,
            claim,
            links,
            changes,
            notices,
            objects: objectsOf(facts),
            ...(row && { event: row.event }),
          },
          p_user: timeline.userId,
          p_books: books,
          ...(row && { p_payload: row.payload }),
        },
        postedAnswer,
      );
      return answer.outcome === 'conflict' ? { conflict: answer.timeline } : answer;
    },
  });
}

/** A failure that is nobody's of ours is none. */
async function failureOf(ctx: Ctx, reading: Failed): Promise<Reading> {
  const { identity } = reading;
  if (!identity) return reading;
  const claim = claimOf(
    reading,
    await ctx.db.call('user_resolve', { p_identity: identity }, whoAnswer),
  );
  return 'userId' in claim ? reading : claim;
}

type Whose = { reading: Facts; claim: Claim; payment: string | null };

/** Whose a reading is, and what it comes to for that account; or why it is nobody's. */
async function whoseIs(ctx: Ctx, reading: Facts, isAsked = false): Promise<Whose | Reading> {
  const { identity, facts } = reading;
  const who = await ctx.db.call(
    'user_resolve',
    { p_identity: identity ?? {}, ...(facts[0] && { p_fact: facts[0].key }) },
    whoAnswer,
  );
  if (!isAsked && isToAsk(reading, who)) {
    const asked = await askSession(ctx, reading);
    return 'facts' in asked ? whoseIs(ctx, asked, true) : asked;
  }
  const claim = claimOf(reading, who);
  if (!('userId' in claim)) return claim;
  const told = claim.isChosen ? asChosen(reading) : reading;
  return { reading: told, claim, payment: who.userId === null ? null : who.payment };
}

/** A state that was read is a fact of its own, by the moment of our clock: what is read later is newer. */
const asRead = (ctx: Ctx, fact: Fact): Fact =>
  fact.kind === 'state'
    ? {
        ...fact,
        isRead: true,
        key: `${fact.key.replace(/(:\d+:).*/, '$1')}~${ctx.now().getTime()}`,
      }
    : fact;

/** A state that was read is news if it differs from the newest that is known. */
function newsOf(timeline: Timeline, facts: readonly Fact[]): Fact[] {
  return facts.filter((fact) => {
    if (fact.kind !== 'state') return true;
    const newest = timelineOf(timeline.facts).findLast(
      (known) => known.kind === 'state' && known.subscription === fact.subscription,
    );
    return !(newest?.kind === 'state' && isSameState(newest, fact));
  });
}

/** What a reading would change, or has changed. */
export type Change = {
  status: 'completed' | 'skipped' | 'failed';
  code: string | null;
  userId: string | null;
  /** Ledger entries that were missing. */
  entries: { idempotencyKey: string; kind: string; amount: number; userId: string }[];
  /** Facts that were missing, or known otherwise. */
  facts: string[];
};

/**
 * What was read from Stripe instead of sent: told to whoever it belongs to, unless `dryRun`. It leaves
 * nothing in the inbox.
 */
export async function applyReading(
  ctx: Ctx,
  reading: Reading,
  { dryRun }: { dryRun: boolean },
): Promise<Change> {
  const nothing = { userId: null, entries: [], facts: [] };
  if ('skip' in reading) return { status: 'skipped', code: null, ...nothing };
  if ('fail' in reading) {
    const isSkipped = 'skip' in (await failureOf(ctx, reading));
    if (isSkipped) return { status: 'skipped', code: null, ...nothing };
    return { status: 'failed', code: reading.fail.code, ...nothing };
  }
  // The catalogue is nobody's.
  if (reading.identity === null) return { status: 'completed', code: null, ...nothing };
  const whose = await whoseIs(ctx, reading);
  if (!('claim' in whose)) return applyReading(ctx, whose, { dryRun });
  const { claim, payment } = whose;
  const { userId } = claim;
  const timeline = await readTimeline(ctx, userId);
  const read = factsOf(whose.reading, payment).map((fact) => asRead(ctx, fact));
  const facts = newsOf(timeline, read);
  const learned = learn(timeline.facts, facts);
  const isLinked = reading.links.length > 0 && !dryRun;
  if (learned.told.length === 0 && !isLinked)
    return { status: 'completed', code: null, ...nothing, userId };
  const difference = dryRun
    ? differenceOf(timeline, learned.facts, { nowUs: nowUsOf(ctx), told: learned.told })
    : (await applyByFold(ctx, { reading: { ...whose.reading, facts }, payment, claim, timeline }))
        .posted;
  const entries = difference.books.entries.map(({ idempotencyKey, kind, ...entry }) => ({
    idempotencyKey,
    kind,
    amount: entry.plan + entry.bonus + entry.purchased,
    userId,
  }));
  const told = difference.books.facts.map(({ key }) => key);
  return { status: 'completed', code: null, userId, entries, facts: told };
}
