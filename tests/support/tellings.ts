import type { Fact } from '../../functions/ledger/facts.pure.ts';
import { factsOf } from '../../functions/stripe/apply-reading.ts';
import { knowledgeOf, readCatalogue } from '../../functions/stripe/catalogue.ts';
import { fetchMissing } from '../../functions/stripe/fetch-missing.ts';
import { read } from '../../functions/stripe/read-event.pure.ts';
import type { StripeEvent } from '../../functions/stripe/reading.pure.ts';
import { seeded, shuffled } from './books-rules.ts';
import type { Scene } from './scene.ts';
import type { StripeFixture } from './stripe-fixture.ts';

export const seed = Number(process.env['SEED'] ?? 20_261);

/** An event, or facts of ours, or the sign-up (no facts); `group`: what stands before a barrier is told before what follows it. */
export type Telling = { facts: Fact[]; group: number; at: number; isNews: boolean } &
  /** As Stripe sends it, and with all that Stripe was asked for: the stand-in's answers stay the same. */
  ({ event: StripeEvent; whole: StripeEvent } | { event?: never });

function* permutations<T>(items: readonly T[]): Generator<T[]> {
  if (items.length === 0) yield [];
  for (const [at, first] of items.entries())
    for (const rest of permutations(items.toSpliced(at, 1))) yield [first, ...rest];
}

/** What stands in one group is told in any order, the groups one after the other. */
const inGroups = <T extends { group: number }>(told: readonly T[]): T[] =>
  told.toSorted((a, b) => a.group - b.group);

/** The same event as another endpoint or a resend would bring it: under another id. */
const twin = (telling: Telling): Telling => {
  if (!telling.event) return telling;
  const id = `${telling.event.id}_twin`;
  const named = (event: StripeEvent) => ({ ...event, id, payload: { ...event.payload, id } });
  return { ...telling, event: named(telling.event), whole: named(telling.whole) };
};

/** A seeded order: what is no news by itself comes now and then; some is told twice, some by a twin. */
function orderOf(tellings: readonly Telling[], order: number): Telling[] {
  const next = seeded(seed + order * 7919);
  const kept = tellings.filter(({ isNews }) => isNews || next(6) === 0);
  const twice = kept.filter(() => next(12) === 0);
  const twins = kept.filter(() => next(12) === 0).map(twin);
  return inGroups(shuffled([...kept, ...twice, ...twins], seed + order));
}

export function* ordersOf(
  tellings: readonly Telling[],
  most: number,
  upTo: number,
): Generator<Telling[]> {
  const news = tellings.filter(({ isNews }) => isNews);
  const isOneGroup = news.every(({ group }) => group === 0);
  if (news.length <= upTo && isOneGroup) yield* permutations(news);
  else for (let order = 1; order <= most; order += 1) yield orderOf(tellings, order);
}

/** Reads what is told as the product does, once: which fact belongs to which payment, who adds nothing. */
export async function readTellings(
  fixture: StripeFixture,
  scene: Scene,
  isSignedUpLater: boolean,
): Promise<Telling[]> {
  const knowledge = knowledgeOf(fixture.ctx, await readCatalogue(fixture.ctx));
  const groupOf = (at: number): number => scene.barriers.filter((barrier) => barrier <= at).length;
  const payments = new Map<string, string>();
  const known = new Set<string>();
  const told: Telling[] = [];
  for (const event of await fixture.events()) {
    const asked = await fetchMissing(fixture.ctx, event, knowledge);
    const reading = 'fail' in asked ? asked : read(asked.event, knowledge);
    if (!('facts' in reading)) continue;
    for (const { ref, payment } of reading.links) payments.set(ref, payment);
    const { facts, links, changes, identity } = reading;
    const payment = identity?.refs?.map((ref) => payments.get(ref)).find(Boolean) ?? null;
    const text = JSON.stringify([facts, links, changes]);
    const isPrice = event.type.startsWith('price.');
    if (facts.length + links.length + (isPrice ? changes.length : 0) === 0) continue;
    const at = event.created;
    const isNews = !known.has(text);
    known.add(text);
    const whole = 'fail' in asked ? event : asked.event;
    told.push({ event, whole, facts: factsOf(reading, payment), group: groupOf(at), at, isNews });
  }
  const ours = isSignedUpLater ? [...scene.own, { facts: [], at: scene.now }] : scene.own;
  for (const { facts, at } of ours) told.push({ facts, at, group: groupOf(at), isNews: true });
  return told.toSorted((a, b) => a.at - b.at);
}
