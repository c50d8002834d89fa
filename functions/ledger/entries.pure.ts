import type { Lot } from './books.pure.ts';
import type { Fact } from './facts.pure.ts';
import type { Folded, Step } from './fold.pure.ts';
import { entrySourceOf, type EntrySource } from './step.pure.ts';
import type { Timeline } from './timeline.pure.ts';

export const lotKinds = ['plan', 'bonus', 'purchased'] as const;
type ByKind = Record<(typeof lotKinds)[number], number>;

type Moves = { lots: ByKind; movements: Record<string, number> };

/** What the entries have to move yet: they have brought the lots to what is stored. */
export function movesBetween({ lots: stored, moved }: Timeline, folded: readonly Lot[]): Moves {
  const lots: ByKind = { plan: 0, bonus: 0, purchased: 0 };
  const movements: Record<string, number> = {};
  const kindsByKey = new Map(stored.map(({ key, kind }) => [key, kind]));
  const before = new Map(
    moved ? Object.entries(moved) : stored.map(({ key, remaining }) => [key, remaining]),
  );
  const add = (key: string, kind: Lot['kind'], credits: number) => {
    if (credits === 0) return;
    lots[kind] += credits;
    movements[key] = (movements[key] ?? 0) + credits;
  };
  for (const lot of folded) {
    add(lot.key, lot.kind, lot.remaining - (before.get(lot.key) ?? 0));
    before.delete(lot.key);
  }
  for (const [key, remaining] of before) add(key, kindsByKey.get(key) ?? 'bonus', -remaining);
  return { lots, movements };
}

const stateSource = (subscription: string, plan: string | null): EntrySource => ({
  kind: 'plan_change',
  sourceType: 'stripe_subscription',
  sourceId: subscription,
  details: { subscriptionId: subscription, ...(plan !== null && { plan }) },
});

/** What an entry says about a step; a month's subscription stands in its key. */
function sourceOf({ fact, key, did }: Step): EntrySource | undefined {
  if (!fact) {
    const [, subscription = ''] = key.split(':');
    return { ...stateSource(subscription, null), kind: 'plan_month' };
  }
  if (fact.kind === 'state') return stateSource(fact.subscription, fact.terms?.plan ?? null);
  const source = entrySourceOf(fact);
  const isUsage = fact.kind === 'release' && did.rule === 'released' && did.isUsage;
  return source && isUsage ? { ...source, kind: 'usage', details: { rows: fact.rows } } : source;
}

/** Whether a step has an entry even where it moves nothing: a payment, a job's end, told the first time. */
function isNews({ fact, did }: Step, isKnown: boolean): boolean {
  if (did.rule === 'released') return did.isUsage || did.credits > 0;
  // Money that is back already: by a refund, and by its charge's own word.
  if (did.rule === 'clawed_back' && did.absorbed + did.taken + did.lapsed + did.shortfall === 0)
    return false;
  return !isKnown && ['plan', 'pack', 'reversal', 'adjustment'].includes(fact?.kind ?? '');
}

/** The steps that the stored books do not show: of facts told now, or stored by a job's end; and months. */
function newStepsOf(timeline: Timeline, folded: Folded, told: readonly Fact[]): Step[] {
  const keys = new Set(told.map(({ key }) => key));
  const held = new Set(timeline.holds.map(({ key }) => key));
  const lots = new Set(timeline.lots.map(({ key }) => key));
  return folded.steps.filter(({ fact, key }) => {
    if (keys.has(key)) return true;
    if (!fact) return !lots.has(key);
    return (
      (fact.kind === 'release' && held.has(fact.hold)) || (fact.kind === 'signup' && !lots.has(key))
    );
  });
}

const kindsOf = (moves: Step['moves']): ByKind => {
  const lots: ByKind = { plan: 0, bonus: 0, purchased: 0 };
  for (const { lot, credits } of moves) lots[lot.kind] += credits;
  return lots;
};

const movementsOf = (moves: Step['moves']): Record<string, number> =>
  Object.fromEntries(moves.map(({ lot, credits }) => [lot.key, credits]));

/** Whether the steps alone move the lots as they have to be moved: nothing before them changed. */
function explains(steps: readonly Step[], { movements }: Moves): boolean {
  const rest = { ...movements };
  for (const { moves } of steps)
    for (const { lot, credits } of moves) rest[lot.key] = (rest[lot.key] ?? 0) - credits;
  return Object.values(rest).every((credits) => credits === 0);
}

/**
 * One entry a step that is new, where these explain the difference; else one for all of it, about the
 * first of them, of those that were told now if there are any.
 */
export function entriesOf(timeline: Timeline, folded: Folded, told: readonly Fact[], moves: Moves) {
  const isKnown = new Set(timeline.facts.map(({ key }) => key));
  const entry = (nth: number, cause: Step | undefined, moved: Moves) => {
    const { kind, sourceType, sourceId, details } = (cause && sourceOf(cause)) ?? {
      kind: 'correction',
      sourceType: 'refold',
      sourceId: timeline.userId,
      details: {},
    };
    const { fact, key, did } = cause ?? { fact: null, key: `refold:${timeline.userId}`, did: {} };
    // A fact that was told before has its entry: what is learned of it later is another one.
    const isRevised =
      !cause ||
      (told.some((one) => one.key === key) && isKnown.has(key)) ||
      timeline.monthsPosted.includes(key);
    const jobId = fact?.kind === 'hold' || fact?.kind === 'release' ? fact.job : null;
    return {
      nth,
      kind,
      ...moved.lots,
      idempotencyKey: isRevised ? `${key}:${timeline.version + 1}` : key,
      factKey: cause ? key : null,
      sourceType,
      sourceId,
      jobId,
      movements: moved.movements,
      details: { ...details, ...did },
    };
  };
  const causes = newStepsOf(timeline, folded, told).filter((step) => sourceOf(step));
  const steps = causes.filter(
    (step) => step.moves.length > 0 || isNews(step, isKnown.has(step.key)),
  );
  const isTold = ({ key }: Step): boolean => told.some((one) => one.key === key);
  const isExplained = explains(steps, moves);
  const cause = causes.find(isTold) ?? causes[0];
  const isMoved = Object.keys(moves.movements).length > 0;
  const isOld = isKnown.has(cause?.key ?? '') || isSaidAgain(timeline, cause?.fact);
  const whole = !isMoved && isOld ? [] : [entry(0, cause, moves)];
  const each = steps.map((step, i) =>
    entry(i, step, { lots: kindsOf(step.moves), movements: movementsOf(step.moves) }),
  );
  return { entries: isExplained ? each : whole, isExplained };
}

/** A refund that its charge has told, or a charge whose refund has. */
const isSaidAgain = ({ facts }: Timeline, told: Fact | null | undefined): boolean =>
  told?.kind === 'reversal' &&
  facts.some(
    (fact) =>
      fact.kind === 'reversal' &&
      fact.payment === told.payment &&
      (fact.source === 'charge') !== (told.source === 'charge'),
  );
