import type { Lot } from './books.pure.ts';
import { positionOf, type Fact } from './facts.pure.ts';
import { entriesOf, type lotKinds, movesBetween } from './entries.pure.ts';
import { fold, foldVersion, type Folded } from './fold.pure.ts';
import { unlimitedCredits } from './step.pure.ts';
import { noticesOf } from './notices.pure.ts';
import { standingOf, type Subscription } from './subscriptions.pure.ts';
import type { StoredLot, Timeline } from './timeline.pure.ts';

/** Whether what comes back to a lot depends on history. */
function isEncumbered(
  { books }: Folded,
  lot: Pick<Lot, 'payment' | 'subscription' | 'isExpired'>,
): boolean {
  const payment = lot.payment === null ? undefined : books.payments.get(lot.payment);
  const account = lot.subscription === null ? undefined : books.accounts.get(lot.subscription);
  return (payment?.shortfall ?? 0) > 0 || (!lot.isExpired && (account?.caps.length ?? 0) > 0);
}

const lotRows = (stored: readonly StoredLot[], folded: Folded) => {
  const before = new Map(stored.map((lot) => [lot.key, lot]));
  return folded.books.lots
    .map(({ cut: _cut, lapsed: _lapsed, ...lot }) => ({
      ...lot,
      isEncumbered: isEncumbered(folded, lot),
    }))
    .filter((lot) => {
      const known = before.get(lot.key);
      return (
        !known ||
        known.payment !== lot.payment ||
        known.opened !== lot.opened ||
        known.remaining !== lot.remaining ||
        known.granted !== lot.granted ||
        known.isExpired !== lot.isExpired ||
        known.isEncumbered !== lot.isEncumbered
      );
    });
};

/** A subscription's row: where it stands, and what the API shows of it. */
function subscriptionRow(subscription: Subscription) {
  const { state, newest, account, yearly } = subscription;
  const granted = account.granted;
  const { credits = 0 } = granted?.terms ?? {};
  return {
    ...standingOf(subscription),
    customer: state?.customer ?? null,
    quantity: state?.quantity ?? newest?.fact.quantity ?? 1,
    periodStart: state ? state.periodStart : (newest?.fact.periodStart ?? null),
    periodEnd: state ? state.periodEnd : (newest?.fact.periodEnd ?? null),
    cancelAt: state?.cancelAt ?? null,
    trialEnd: state?.trialEnd ?? null,
    endedAt: account.isEnded ? (state?.endedAt ?? Math.floor((state?.atUs ?? 0) / 1e6)) : null,
    statePosition: state ? positionOf(state) : null,
    paidPeriodStart: newest?.fact.periodStart ?? null,
    grantedCredits: credits === null ? unlimitedCredits : credits * (granted?.quantity ?? 0),
    grantsMonthly: yearly !== null,
  };
}

const holdRows = ({ books }: Folded) =>
  [...books.holds].map(([key, { credits, takes, uncovered, isUsage }]) => ({
    key,
    credits,
    takes: takes.map((take): [string, number] => [take.lot.key, take.credits]),
    uncovered,
    isUsage,
  }));

/** What is held now, of plans that count. */
const heldOf = ({ books }: Folded): number =>
  [...books.holds.values()]
    .flatMap(({ takes }) => takes)
    .reduce((sum, take) => sum + take.credits, 0);

export type FoldOptions = {
  /** Microseconds since 1970, our clock. */
  nowUs: number;
  /** Facts that are new, or known otherwise than before: joined already. */
  told: readonly Fact[];
};

/** The latest moment that anybody knows of: Stripe's clock may be ahead of ours. Sign-up has none. */
export const latestUs = (facts: readonly Fact[], nowUs: number): number =>
  facts.reduce((at, { kind, atUs }) => (kind === 'signup' ? at : Math.max(at, atUs)), nowUs);

/**
 * What has to be written so that the stored books are the fold of the facts; `books` as
 * `rowloom.ledger_post_fold` takes it. `isDifferent`: anything but the version would change; `isExplained`:
 * only as the steps that are new make it change.
 */
export function differenceOf(timeline: Timeline, facts: readonly Fact[], options: FoldOptions) {
  const folded = fold(facts, latestUs(facts, options.nowUs));
  const moves = movesBetween(timeline, folded.books.lots);
  const lots = lotRows(timeline.lots, folded);
  const keys = new Set(folded.books.lots.map(({ key }) => key));
  const goneLots = timeline.lots.filter(({ key }) => !keys.has(key)).map(({ key }) => key);
  const holds = holdRows(folded);
  const total = (kind: (typeof lotKinds)[number]): number =>
    folded.books.lots.reduce((sum, lot) => sum + (lot.kind === kind ? lot.remaining : 0), 0);
  const newest = folded.steps.at(-1)?.position ?? null;
  const isDifferent =
    lots.length + goneLots.length > 0 ||
    heldOf(folded) !== timeline.held ||
    (folded.suspended?.reason ?? null) !== timeline.suspendedReason ||
    folded.nextDueUs !== timeline.nextDueUs;
  const { entries, isExplained } = entriesOf(timeline, folded, options.told, moves);
  const books = {
    userId: timeline.userId,
    version: timeline.version,
    facts: options.told.map((fact) => ({
      key: fact.key,
      kind: fact.kind,
      atUs: fact.atUs,
      position: positionOf(fact),
      body: fact,
    })),
    lots,
    goneLots,
    holds,
    entries,
    totals: {
      plan: total('plan'),
      bonus: total('bonus'),
      purchased: total('purchased'),
      held: heldOf(folded),
      shortfall: folded.shortfall,
    },
    newestPosition: newest,
    nextDueUs: folded.nextDueUs,
    suspended: folded.suspended,
    foldVersion,
    subscriptions: [...folded.subscriptions.all.values()].map(subscriptionRow),
    customer: folded.payers.chosen,
    notices: noticesOf(folded, timeline),
  };
  return { books, folded, isDifferent, isExplained };
}
