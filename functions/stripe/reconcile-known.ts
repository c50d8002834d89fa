import * as z from 'zod';
import type { Ctx } from '../context.ts';
import type { Fact, StateFact } from '../ledger/facts.pure.ts';
import { asRead, eventOf } from './apply-reading.ts';
import { fetchMissing } from './fetch-missing.ts';
import { activated, isNews, isNewState } from './news.pure.ts';
import { idOf, present } from './normalise/json.pure.ts';
import { answersFor } from './reconcile-catalogue.pure.ts';
import { lackOf, read } from './read-event.pure.ts';
import type { Knowledge, Reading } from './reading.pure.ts';
import type { Found } from './reconcile-lists.ts';

const fact = z.custom<Fact>((value) => typeof value === 'object' && value !== null);
const row = z.record(z.string(), z.unknown());

/** What `rowloom.reconcile_known` gives. */
const knownAnswer = z.strictObject({
  facts: z.record(z.string(), fact),
  states: z.record(z.string(), fact),
  allStates: z.record(z.string(), z.array(z.custom<StateFact>())),
  subscriptions: z.array(z.string()),
  refs: z.record(z.string(), z.tuple([z.string(), z.boolean()])),
  customers: z.record(z.string(), z.boolean()),
  prices: z.record(z.string(), row),
  products: z.record(z.string(), z.string()),
});
export type Known = z.infer<typeof knownAnswer>;

type Facts = Extract<Reading, { facts: Fact[] }>;

/** What of Stripe the books do not know, or know otherwise. */
export type News = Found & {
  reading: Reading;
  /** The newest known state of the subscription, or the fact as it is known. */
  before: Fact | undefined;
};

/** Of what is complete by itself the facts' keys are known before it is read. */
const keyOf = ({ object }: Found): string =>
  `${object.object.replace('checkout.', '')}:${object.id}`;

const subscriptionOf = (told: Fact): string | undefined =>
  told.kind === 'state' ? told.subscription : undefined;

async function readKnown(
  ctx: Ctx,
  pairs: readonly { found: Found; reading: Reading }[],
): Promise<Known> {
  const identities = pairs.map(({ reading }) => ('identity' in reading ? reading.identity : null));
  const readings = pairs.flatMap(({ reading }) => ('facts' in reading ? [reading] : []));
  const facts = readings.flatMap((reading) => reading.facts);
  const links = readings.flatMap((reading) => reading.links);
  const idsOf = (kind: string) =>
    pairs.filter(({ found }) => found.object.object === kind).map(({ found }) => found.object.id);
  return ctx.db.call(
    'reconcile_known',
    {
      p_keys: present([...facts.map(({ key }) => key), ...pairs.map(({ found }) => keyOf(found))]),
      p_subscriptions: present([
        ...facts.map(subscriptionOf),
        ...identities.map((identity) => identity?.subscriptionId),
      ]),
      p_refs: present([
        ...links.map(({ ref }) => ref),
        ...identities.flatMap((identity) => identity?.refs ?? []),
      ]),
      p_customers: present(identities.map((identity) => identity?.customerId)),
      p_prices: idsOf('price'),
      p_products: idsOf('product'),
      p_paid: present(facts.map((told) => (told.kind === 'plan' ? told.subscription : undefined))),
    },
    knownAnswer,
  );
}

/** As the books would have it: of a payment that is known, and marked if its payer chose the account. */
function asKnown(told: Fact, before: Fact | undefined, reading: Facts, known: Known): Fact {
  if (told.kind === 'reversal' && before?.kind === 'reversal')
    return { ...told, payment: before.payment };
  const { userIds = [], customerId = null } = reading.identity ?? {};
  const isOwn = userIds.length > 0 || known.customers[customerId ?? ''] === false;
  return before && 'isChosen' in before && !isOwn ? ({ ...told, isChosen: true } as Fact) : told;
}

/** Links that are neither known nor held by another payment that is told. */
export const missingLinks = ({ links }: Facts, { refs }: Known) =>
  links.filter(({ ref, payment }) => {
    const before = refs[ref];
    return !before || (before[0] !== payment && !before[1]);
  });

function isNewFact(told: Fact, found: Found, reading: Facts, known: Known): boolean {
  // What a payment brought about is added only where it is not known.
  if (told.kind === 'state')
    return found.object.object === 'invoice' || isNewState(known.states[told.subscription], told);
  const before = known.facts[told.key];
  if (before && found.isGuess) return false;
  return isNews(before, asKnown(told, before, reading, known));
}

/**
 * About nobody we know, and not ours by itself: what claimOf comes to, without asking one by one. `payments`: ids
 * of those that are told before it, or would be.
 */
function isNobodys(reading: Reading, known: Known, payments: Set<string>): boolean {
  if (!('identity' in reading) || !reading.identity) return false;
  const { userIds, customerId, subscriptionId, refs } = reading.identity;
  // Money back of what nobody bought here: what was paid has been read before.
  if (refs) return !refs.some((ref) => known.refs[ref]?.[1] === true || payments.has(ref));
  if (reading.isOurs !== false || userIds.length > 0) return false;
  return (
    known.customers[customerId ?? ''] === undefined &&
    !known.subscriptions.includes(subscriptionId ?? '')
  );
}

/** An end that would stand before what is known of its subscription holds from now on. */
function laterEnd(found: Found, known: Known): Found {
  const { event, object, readAt } = found;
  const newest = known.states[object.id];
  if (readAt === undefined || !newest || newest.atUs < event.created * 1e6) return found;
  return { ...found, event: eventOf(event.type, object, readAt) };
}

function isNewsOf(found: Found, reading: Reading, known: Known): boolean {
  if ('skip' in reading) return false;
  if ('fail' in reading) return true;
  if (reading.changes.length > 0) return !answersFor(reading.changes, known);
  if (missingLinks(reading, known).length > 0) return true;
  return reading.facts.some((told) => isNewFact(told, found, reading, known));
}

/** A reading as facts of their own: states hold from when they were read, or from a payment that brought them. */
function asFacts(ctx: Ctx, reading: Reading, known: Known): Reading {
  if (!('facts' in reading)) return reading;
  const facts = reading.facts.flatMap((told) => {
    if (told.kind !== 'plan') return [asRead(ctx, told)];
    const state = activated(told, known.allStates[told.subscription] ?? []);
    return state ? [told, state] : [told];
  });
  return { ...reading, facts };
}

/** Money that went back belongs to whoever got what it had paid for. */
export const isBack = ({ reading }: News): boolean =>
  'identity' in reading && Boolean(reading.identity?.refs);

/**
 * What a page says that the books do not know, in one round trip; in the order in which it happened, what went back last. What an
 * object lacks is asked of Stripe only if its fact is not known.
 */
export async function newsOfPage(
  ctx: Ctx,
  page: readonly Found[],
  { knowledge, wouldKnow }: { knowledge: Knowledge; wouldKnow: Set<string> },
): Promise<{ news: News[]; known: Known }> {
  const pairs = page.map((found) => ({
    found,
    lack: lackOf(found.event, knowledge),
    reading: read(found.event, knowledge),
  }));
  const known = await readKnown(ctx, pairs);
  const news: News[] = [];
  const links = pairs.flatMap(({ reading }) => ('facts' in reading ? reading.links : []));
  const payments = new Set([...wouldKnow, ...links.map(({ ref }) => ref)]);
  for (const { found, lack, reading: first } of pairs) {
    if (isNobodys(first, known, payments) || (lack && known.facts[keyOf(found)])) continue;
    const later = laterEnd(found, known);
    let reading = later === found ? first : read(later.event, knowledge);
    if (lack) {
      const fetched = await fetchMissing(ctx, later.event, knowledge);
      reading = 'fail' in fetched ? fetched : read(fetched.event, knowledge);
    }
    reading = asFacts(ctx, reading, known);
    if (isNobodys(reading, known, payments) || !isNewsOf(later, reading, known)) continue;
    const [told] = 'facts' in reading ? reading.facts : [];
    const id = told && subscriptionOf(told);
    const before = id === undefined ? known.facts[told?.key ?? ''] : known.states[id];
    news.push({ ...later, reading, before });
  }
  const inOrder = news.toSorted(
    (a, b) => Number(isBack(a)) - Number(isBack(b)) || a.event.created - b.event.created,
  );
  return { news: inOrder, known };
}

/** What waits for this object, or for what it names. */
export const wakesOf = ({ object }: Found): string[] =>
  present([object.id, idOf((object as { customer?: unknown }).customer)]);
