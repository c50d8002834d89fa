import * as z from 'zod';
import type { Ctx } from '../context.ts';
import { DomainError } from '../errors.ts';
import { stepOf } from '../ledger/step.pure.ts';
import { timelineAnswer } from '../ledger/timeline-answer.ts';
import { applyByFold, objectsOf, type InboxRow, type Stored } from './apply-reading.ts';
import { askSession, isToAsk } from './ask-session.ts';
import { bringPayment } from './bring-payment.ts';
import { catalogueAnswer, knowledgeOf, readCatalogue, rememberCatalogue } from './catalogue.ts';
import { fetchMissing } from './fetch-missing.ts';
import { present } from './normalise/json.pure.ts';
import { storable } from './payload.pure.ts';
import { isPriced, objectIdOf, read } from './read-event.pure.ts';
import type { Failure, Reading, StripeEvent } from './reading.pure.ts';
import { refusalOf } from './refusal.pure.ts';
import { whoAnswer } from './who-answer.ts';
import { asChosen, claimOf, type Claim, type Who } from './whose.pure.ts';

export type Received = {
  eventId: string;
  status: 'completed' | 'skipped' | 'duplicate' | 'failed';
  code: string | null;
  /** Events that this one brought what they waited for. */
  eventsDue: boolean;
  /** The user whose jobs await credits, if this may have brought some. */
  awaiting: string | null;
};

const applied = z.strictObject({
  outcome: z.literal('stored'),
  status: z.enum(['completed', 'skipped', 'failed']),
  code: z.string().nullable(),
  userId: z.string().nullable(),
  jobsAwait: z.boolean(),
  eventsDue: z.boolean(),
});
const duplicate = z.strictObject({ outcome: z.literal('duplicate') });
type Applied = z.infer<typeof applied> | z.infer<typeof duplicate>;

const answer = z.discriminatedUnion('outcome', [
  applied,
  duplicate,
  z.strictObject({ outcome: z.literal('stale_catalogue'), catalogue: catalogueAnswer }),
  z.strictObject({
    outcome: z.literal('refold'),
    payment: z.string().nullable(),
    timeline: timelineAnswer,
  }),
  z.strictObject({ outcome: z.literal('unclaimed'), who: whoAnswer }),
]);
type Outcome = z.infer<typeof answer>;

/** `payload`: as it came; null: the inbox has it already. */
const inboxRowOf = (event: StripeEvent, payload: string | null): InboxRow => {
  const { id, type, created, apiVersion } = event;
  return { event: { id, type, created, apiVersion, objectId: objectIdOf(event) }, payload };
};

/** Longer ones are nobody's, and no index takes them. */
const longestRef = 255;

/** Every wait says for what: at least the object that the event is about. */
const waitsOf = (row: InboxRow, fail: Pick<Failure, 'code' | 'waitsFor'>): string[] =>
  present([
    ...(fail.waitsFor ?? []),
    fail.code === 'stripe_unavailable' ? 'stripe' : null,
    row.event.objectId ?? row.event.id,
  ]).filter((ref) => ref.length <= longestRef);

const verdictOf = (reading: Reading, row: InboxRow) => {
  if ('skip' in reading) return { status: 'skipped' };
  if (!('fail' in reading)) return undefined;
  const { code, detail } = reading.fail;
  return { status: 'failed', code, detail, waitsFor: waitsOf(row, reading.fail) };
};

/** What is decided about an event, and whose it is where somebody chose that. */
type Decided = { reading: Reading; claim?: Claim; isBrought?: true; isAsked?: true };

/** Stores the event and what it says in one round trip, if that needs no fold. */
function post(ctx: Ctx, row: InboxRow, decided: Decided, version: number | null): Promise<Outcome> {
  const { reading, claim } = decided;
  const verdict = verdictOf(reading, row);
  const { facts, links, changes, notices } =
    'facts' in reading ? reading : { facts: [], links: [], changes: [], notices: [] };
  const [fact] = facts;
  const p = {
    event: row.event,
    catalogueVersion: version,
    identity: 'identity' in reading ? reading.identity : null,
    claim,
    links,
    changes,
    notices,
    objects: objectsOf(facts),
    ...(verdict && { verdict }),
    // Several facts at once, and what depends on history, are the fold's.
    ...(fact && { fact, step: facts.length === 1 ? stepOf(fact) : null }),
  };
  return ctx.db.call('stripe_event_post', { p, p_payload: row.payload }, answer);
}

/** Nothing of ours says whose it is: whoever it is by the payer's words, or why it is nobody's. */
async function decideWhose(ctx: Ctx, decided: Decided, who: Who): Promise<Decided> {
  const { reading, isBrought } = decided;
  if (!('identity' in reading)) return { reading };
  if (!decided.isAsked && isToAsk(reading, who))
    return { reading: await askSession(ctx, reading), isAsked: true };
  const refs = reading.identity?.refs;
  const isToBring = refs && who.userId === null && !isBrought;
  const brought = isToBring ? await bringPayment(ctx, refs) : undefined;
  if (brought === 'told') return { reading, isBrought: true };
  const claim = brought ?? claimOf(reading, who);
  if (!('userId' in claim)) return { reading: claim };
  const isToMark = claim.isChosen && 'facts' in reading;
  return { reading: isToMark ? asChosen(reading) : reading, claim };
}

/** So often the catalogue, or whose it is, may change under one event. */
const mostTries = 8;

/** Decides by the catalogue as it is, one that has changed since it was read is read anew; then, whose it is. */
async function decideAndPost(ctx: Ctx, row: InboxRow, event: StripeEvent) {
  let catalogue = await readCatalogue(ctx);
  let decided: Decided | undefined;
  for (let tries = 1; tries <= mostTries; tries += 1) {
    const knowledge = knowledgeOf(ctx, catalogue);
    if (!decided) {
      const asked = await fetchMissing(ctx, event, knowledge);
      decided = { reading: 'fail' in asked ? asked : read(asked.event, knowledge) };
    }
    const version = isPriced(event) ? catalogue.version : null;
    const outcome = await post(ctx, row, decided, version);
    if (outcome.outcome === 'unclaimed') {
      decided = await decideWhose(ctx, decided, outcome.who);
    } else if (outcome.outcome === 'stale_catalogue') {
      decided = undefined;
      catalogue = outcome.catalogue;
      rememberCatalogue(ctx, catalogue);
    } else return { ...decided, outcome };
  }
  throw new DomainError('service_unavailable', 'The catalogue is changing; try again shortly.', {
    extra: { part: 'catalogue' },
    retryAfterSeconds: 5,
  });
}

/** Nothing can be stored now: Stripe is to come again, or the next run. */
const isAway = (error: unknown): boolean =>
  error instanceof DomainError &&
  error.code === 'service_unavailable' &&
  error.extra['part'] !== 'catalogue';

/** What it tells has become another account's since it was decided whose it is. */
const isClaimed = (error: unknown): boolean =>
  error instanceof DomainError && error.code === 'idempotency_key_reused';

/** Why an event that could not be applied is kept as failed. */
function failureOf(error: unknown): Failure {
  const refusal = refusalOf(error);
  if (refusal) return refusal;
  const isBusy = error instanceof DomainError && !isClaimed(error);
  if (isBusy) return { code: 'busy', detail: `Not now: ${error.detail ?? error.code}` };
  const name = error instanceof Error ? error.name : 'unknown';
  return { code: 'internal', detail: `An error of ours (${name}) kept it from the books.` };
}

/** The frame that threw: our own code, and nothing of what it was given. */
const placeOf = (error: unknown): string | null =>
  (error instanceof Error && /^\s+at .*$/m.exec(error.stack ?? '')?.[0].trim()) || null;

/**
 * Keeps an event that could not be applied, for an operator to see; it is tried again like others. A payload
 * that Postgres does not take as JSON it takes as text.
 */
async function keep(ctx: Ctx, row: InboxRow, error: unknown): Promise<Received> {
  if (isAway(error)) throw error;
  const { id, type } = row.event;
  const { code, detail } = failureOf(error);
  ctx.log('stripe_event_kept', { eventId: id, type, code, at: placeOf(error) });
  const told = { e: row.event, p_status: 'failed', p_code: code, p_detail: detail };
  const waits = waitsOf(row, { code });
  for (const payload of row.payload === null ? [null] : [row.payload, JSON.stringify(row.payload)])
    try {
      const args = { ...told, p_payload: payload, p_waits: waits };
      const isKept = await ctx.db.call('stripe_event_put', args);
      const status = isKept ? 'failed' : 'duplicate';
      return { eventId: id, status, code: isKept ? code : null, eventsDue: false, awaiting: null };
    } catch (again) {
      if (!refusalOf(again)) throw again;
    }
  throw error;
}

/**
 * Reads an event and stores it with what it comes to: the one way for a live delivery, a retry and a
 * replay; `payload` is the text that the inbox keeps, null if it has it. What it lacks is asked of Stripe
 * first. One round trip where its fact is the user's newest and needs no history; else the user is folded
 * anew. Throws only where nothing could be stored.
 */
export async function applyEvent(
  ctx: Ctx,
  event: StripeEvent,
  payload: string | null = storable(JSON.stringify(event.payload)),
): Promise<Received> {
  const row = inboxRowOf(event, payload);
  try {
    return await apply(ctx, event, row).catch((error: unknown) => {
      if (!isClaimed(error)) throw error;
      return apply(ctx, event, row);
    });
  } catch (error) {
    return keep(ctx, row, error);
  }
}

async function apply(ctx: Ctx, event: StripeEvent, row: InboxRow): Promise<Received> {
  const { reading, claim, outcome } = await decideAndPost(ctx, row, event);
  if (outcome.outcome !== 'refold') return received(ctx, event, outcome);
  if (!('facts' in reading)) throw new Error('Only facts are folded.');
  const { payment, timeline } = outcome;
  const folded = await applyByFold(ctx, { reading, payment, claim, timeline, row });
  return received(ctx, event, folded.outcome);
}

function received(ctx: Ctx, event: StripeEvent, outcome: Applied | Stored): Received {
  if (outcome.outcome !== 'stored')
    return { eventId: event.id, status: 'duplicate', code: null, eventsDue: false, awaiting: null };
  const { status, eventsDue } = outcome;
  const code = 'code' in outcome ? (outcome.code ?? null) : null;
  if (status === 'failed')
    ctx.log('stripe_event_failed', { eventId: event.id, type: event.type, code });
  const awaiting = outcome.jobsAwait ? outcome.userId : null;
  return { eventId: event.id, status, code, eventsDue, awaiting };
}
