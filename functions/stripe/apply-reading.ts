import Stripe from 'stripe';
import * as z from 'zod';
import type { Ctx } from '../context.ts';
import { differenceOf } from '../ledger/difference.pure.ts';
import type { Timeline } from '../ledger/timeline.pure.ts';
import type { Fact, StateFact } from '../ledger/facts.pure.ts';
import { isTie } from '../ledger/state-order.pure.ts';
import { learn, nowUsOf, readTimeline, refold, type Posted } from '../ledger/refold.ts';
import { timelineAnswer } from '../ledger/timeline-answer.ts';
import { askSession, isToAsk } from './ask-session.ts';
import type { Notice } from '../notices/notice.pure.ts';
import { knowledgeOf, readCatalogue } from './catalogue.ts';
import { newsOf } from './news.pure.ts';
import { read } from './read-event.pure.ts';
import type { EventIdentity, Reading, StripeEvent } from './reading.pure.ts';
import { whoAnswer } from './who-answer.ts';
import { asChosen, chosenFact, claimOf, type Claim } from './whose.pure.ts';

export type Facts = Extract<Reading, { facts: Fact[] }>;

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
    /** Of what was read instead of sent: whatever waits for one of these is tried again. */
    wakes?: string[];
    /** What an operator is told with the books that come of it. */
    noticesOf?: (books: Posted['books'] | null) => Notice[];
  },
): Promise<{ outcome: Stored | { outcome: 'duplicate' }; posted: Posted }> {
  const { reading, claim, timeline, row, wakes = [], noticesOf = () => [] } = input;
  const { identity, links, changes } = reading;
  const facts = factsOf(reading, input.payment);
  const settling = await tieBreakers(ctx, timeline, facts);
  const all = [...facts, ...(claim?.isChosen ? settling.map(chosenFact) : settling)];
  return refold<Stored | { outcome: 'duplicate' }>(ctx, {
    userId: timeline.userId,
    timeline,
    tell: () => all,
    post: async (books) => {
      const notices = [...reading.notices, ...noticesOf(books)];
      const objects = objectsOf(facts);
      const p = { identity, claim, links, changes, notices, objects };
      const told = { p_user: timeline.userId, p_books: books };
      const answer = row
        ? await ctx.db.call(
            'stripe_event_post_fold',
            { p: { ...p, event: row.event }, ...told, p_payload: row.payload },
            postedAnswer,
          )
        : await ctx.db.call('stripe_reading_post', { p: { ...p, wakes }, ...told }, postedAnswer);
      return answer.outcome === 'conflict' ? { conflict: answer.timeline } : answer;
    },
  });
}

type Whose = { reading: Facts; claim: Claim; payment: string | null };

const whoIs = (ctx: Ctx, identity: EventIdentity | null | undefined, fact?: Fact) =>
  ctx.db.call(
    'user_resolve',
    { p_identity: identity ?? {}, ...(fact && { p_fact: fact.key }) },
    whoAnswer,
  );

/** Whose a reading is, and what it comes to for that account; or why it is nobody's. */
async function whoseIs(ctx: Ctx, reading: Facts, isAsked = false): Promise<Whose | Reading> {
  const who = await whoIs(ctx, reading.identity, reading.facts[0]);
  if (!isAsked && isToAsk(reading, who)) {
    const asked = await askSession(ctx, reading);
    return 'facts' in asked ? whoseIs(ctx, asked, true) : asked;
  }
  const claim = claimOf(reading, who);
  if (!('userId' in claim)) return claim;
  const told = claim.isChosen ? asChosen(reading) : reading;
  return { reading: told, claim, payment: who.userId === null ? null : who.payment };
}

/**
 * A state that was read is a fact of its own, by the moment of our clock: what is read later is newer. An
 * end has its own moment, whoever tells it.
 */
export const asRead = (ctx: Ctx, fact: Fact): Fact =>
  fact.kind === 'state' && fact.phase !== 'deleted'
    ? {
        ...fact,
        isRead: true,
        key: `${fact.key.replace(/(:\d+:).*/, '$1')}~${ctx.now().getTime()}`,
      }
    : fact;

/** What a reading would change, or has changed. */
export type Change = {
  status: 'completed' | 'skipped' | 'failed';
  code: string | null;
  /** Why it failed, for an operator. */
  detail: string | null;
  userId: string | null;
  /** Ledger entries that were missing. */
  entries: { idempotencyKey: string; kind: string; amount: number; userId: string }[];
  /** By kind of lot, all entries together. */
  credits: Record<'plan' | 'bonus' | 'purchased', number>;
  /** Facts that were missing, or known otherwise. */
  facts: string[];
};

/** Nothing of nobody's; never written to. */
export const noChange: Readonly<Change> = {
  status: 'completed',
  code: null,
  detail: null,
  userId: null,
  entries: [],
  credits: { plan: 0, bonus: 0, purchased: 0 },
  facts: [],
};

function changeOf(userId: string, books: Posted['books'] | null): Change {
  const credits = { ...noChange.credits };
  const entries = (books?.entries ?? []).map(({ idempotencyKey, kind, ...entry }) => {
    credits.plan += entry.plan;
    credits.bonus += entry.bonus;
    credits.purchased += entry.purchased;
    return { idempotencyKey, kind, amount: entry.plan + entry.bonus + entry.purchased, userId };
  });
  return { ...noChange, userId, entries, credits, facts: books?.facts.map(({ key }) => key) ?? [] };
}

/** A failure is one if it is ours, or about somebody we know. */
async function failed(ctx: Ctx, reading: Extract<Reading, { fail: object }>): Promise<Change> {
  let { code, detail } = reading.fail;
  let userId: string | null = null;
  if (reading.identity) {
    const who = await whoIs(ctx, reading.identity);
    const claim = claimOf(reading, who);
    if ('skip' in claim) return { ...noChange, status: 'skipped' };
    if ('fail' in claim) ({ code, detail } = claim.fail);
    else if ('userId' in claim) userId = claim.userId;
  }
  return { ...noChange, status: 'failed', code, detail, userId };
}

type Options = {
  dryRun: boolean;
  wakes?: string[];
  /** What an operator is told of a change, in its transaction. */
  noticesOf?: (change: Change) => Notice[];
};

/**
 * What was read from Stripe instead of sent: told to whoever it belongs to, unless `dryRun`, which writes
 * nothing at all. It leaves nothing in the inbox.
 */
export async function applyReading(ctx: Ctx, reading: Reading, options: Options): Promise<Change> {
  const { dryRun, wakes = [], noticesOf = () => [] } = options;
  if ('skip' in reading) return { ...noChange, status: 'skipped' };
  if ('fail' in reading) return failed(ctx, reading);
  // The catalogue is nobody's.
  if (reading.identity === null) return noChange;
  const whose = await whoseIs(ctx, reading);
  if (!('claim' in whose)) return applyReading(ctx, whose, options);
  const { claim, payment } = whose;
  const { userId } = claim;
  const timeline = await readTimeline(ctx, userId);
  const facts = newsOf(timeline, factsOf(whose.reading, payment));
  const learned = learn(timeline.facts, facts);
  const isNothing = learned.told.length === 0 && reading.links.length === 0;
  if (isNothing || (dryRun && learned.told.length === 0)) return { ...noChange, userId };
  if (dryRun) {
    const told = { nowUs: nowUsOf(ctx), told: learned.told };
    return changeOf(userId, differenceOf(timeline, learned.facts, told).books);
  }
  const { posted } = await applyByFold(ctx, {
    reading: { ...whose.reading, facts },
    payment,
    claim,
    timeline,
    wakes,
    noticesOf: (books) => noticesOf(changeOf(userId, books)),
  });
  return changeOf(userId, posted.books);
}
