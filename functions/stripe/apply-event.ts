import * as z from 'zod';
import type { Ctx } from '../deps.ts';
import { DomainError } from '../errors.ts';
import { stepOf } from '../ledger/step.pure.ts';
import { timelineAnswer } from '../ledger/timeline-answer.ts';
import { applyByFold, type InboxRow, type Stored } from './apply-reading.ts';
import { bringPayment } from './bring-payment.ts';
import { catalogueAnswer, knowledgeOf, readCatalogue, rememberCatalogue } from './catalogue.ts';
import { fetchMissing } from './fetch-missing.ts';
import { read } from './read-event.pure.ts';
import { fail, type Reading, type StripeEvent } from './reading.pure.ts';
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

const clean = (text: string): string => text.replaceAll('\0', '').toWellFormed();

/** Postgres stores neither NUL nor half a surrogate pair; no field that counts holds them. */
function storable(payload: StripeEvent['payload']): string {
  const text = JSON.stringify(payload);
  if (!/\\u(0000|d[89a-f])/i.test(text)) return text;
  const cleaned = JSON.parse(text, (_key, value: unknown) => {
    if (typeof value === 'string') return clean(value);
    if (value === null || typeof value !== 'object' || Array.isArray(value)) return value;
    return Object.fromEntries(Object.entries(value).map(([name, part]) => [clean(name), part]));
  }) as unknown;
  return JSON.stringify(cleaned);
}

const inboxRowOf = ({ payload, ...event }: StripeEvent): InboxRow => ({
  event,
  payload: storable(payload),
});

const verdictOf = (reading: Reading) => {
  if ('skip' in reading) return { status: 'skipped' };
  return 'fail' in reading ? { status: 'failed', ...reading.fail } : undefined;
};

/** What is decided about an event, and whose it is where somebody chose that. */
type Decided = { reading: Reading; claim?: Claim; isBrought?: true };

/** Stores the event and what it says in one round trip, if that needs no fold. */
function post(ctx: Ctx, row: InboxRow, decided: Decided, version: number): Promise<Outcome> {
  const { reading, claim } = decided;
  const verdict = verdictOf(reading);
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
    ...(verdict && { verdict }),
    // Several facts at once, and what depends on history, are the fold's.
    ...(fact && { fact, step: facts.length === 1 ? stepOf(fact) : null }),
  };
  return ctx.db.call('stripe_event_post', { p, p_payload: row.payload }, answer);
}

/** Nothing of ours says whose it is: whoever it is by the payer's words, or why it is nobody's. */
async function decideWhose(ctx: Ctx, { reading, isBrought }: Decided, who: Who): Promise<Decided> {
  if (!('identity' in reading)) return { reading };
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
    const outcome = await post(ctx, row, decided, catalogue.version);
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

/** What Postgres says of values, constraints and limits that it would refuse again, whoever sends them. */
const refusalOf = (error: unknown): string | undefined => {
  const { code } = error as { code?: unknown };
  return typeof code === 'string' && /^(22|23|54)...$/.test(code) ? code : undefined;
};

/** Keeps an event that the books do not take, for an operator to see; it is tried again like others. */
async function keepRefused(
  ctx: Ctx,
  event: StripeEvent,
  row: InboxRow,
  error: unknown,
): Promise<Received> {
  const refusal = refusalOf(error);
  if (refusal === undefined) throw error;
  const reading = fail('unreadable', `The database does not take what it says (${refusal}).`);
  const { version } = await readCatalogue(ctx);
  const outcome = await post(ctx, row, { reading }, version);
  if (outcome.outcome !== 'stored' && outcome.outcome !== 'duplicate') throw error;
  return received(ctx, event, outcome);
}

/**
 * Reads an event and stores it with what it comes to: the one way for a live delivery, a retry and a
 * replay. What it lacks is asked of Stripe first. One round trip where its fact is the user's newest and
 * needs no history; else the user is folded anew.
 */
export async function applyEvent(ctx: Ctx, event: StripeEvent): Promise<Received> {
  const row = inboxRowOf(event);
  try {
    return await apply(ctx, event, row);
  } catch (error) {
    return keepRefused(ctx, event, row, error);
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
