import { withoutAddresses, type Notice } from '../notices/notice.pure.ts';
import { differenceOf } from './difference.pure.ts';
import type { StoredLot, Timeline } from './timeline.pure.ts';
import { canonical } from '../shared/canonical.pure.ts';
import { foldVersion } from './fold.pure.ts';

/** A user's books as `rowloom.books_read` gives them. */
export type StoredBooks = {
  timeline: Timeline;
  totals: { plan: number; bonus: number; purchased: number; held: number; shortfall: number };
  /** By lot: what all entries together moved it by. */
  moved: Record<string, number>;
  /** Entries that are not the sum of their movements, or do not go on from the balance before. */
  misfits: number;
  subscriptions: ({ subscription: string } & Record<string, unknown>)[];
};

/** What can differ: what a refold mends, and what it cannot. */
const mended = ['lots', 'holds', 'totals', 'subscriptions', 'suspension', 'due'] as const;
const lasting = ['entries', 'movements', 'fact', 'fold'] as const;
/** Keys that a notice names. */
const mostNamed = 5;
export const differenceKinds = [...mended, ...lasting, 'older_fold'] as const;
export type DifferenceKind = (typeof differenceKinds)[number];

export type DifferenceDetail = {
  kind: DifferenceKind;
  /** Of the lot, the hold, the fact, …; or the name of a total. */
  key: string;
  stored: unknown;
  folded: unknown;
};

export type BooksDifference = {
  userId: string;
  /** Of the fold that wrote the books last, and of this one. */
  foldVersion: { stored: number; present: number };
  kinds: DifferenceKind[];
  details: DifferenceDetail[];
};

type Difference = ReturnType<typeof differenceOf>;

const withoutFlag = ({ key, payment, opened, remaining, granted, isExpired }: StoredLot) =>
  canonical({ key, payment, opened, remaining, granted, isExpired });

/** A lot that is encumbered for no reason only costs a refold; one that is not, and should be, counts. */
function lotDetails({ timeline }: StoredBooks, { books }: Difference): DifferenceDetail[] {
  const stored = new Map(timeline.lots.map((lot) => [lot.key, lot]));
  const gone = books.goneLots.map((key) => ({ key, stored: stored.get(key), folded: null }));
  const changed = books.lots.flatMap((lot) => {
    const known = stored.get(lot.key);
    const isSame = known && withoutFlag(known) === withoutFlag(lot);
    if (isSame && !lot.isEncumbered) return [];
    return [{ key: lot.key, stored: known ?? null, folded: lot }];
  });
  return [...gone, ...changed].map((detail) => ({ kind: 'lots', ...detail }));
}

/** Two lists of one kind, item by item under their keys. */
function compared(
  kind: DifferenceKind,
  stored: ReadonlyMap<string, unknown>,
  folded: ReadonlyMap<string, unknown>,
): DifferenceDetail[] {
  const keys = new Set([...stored.keys(), ...folded.keys()]);
  return [...keys]
    .map((key) => ({ kind, key, stored: stored.get(key) ?? null, folded: folded.get(key) ?? null }))
    .filter((detail) => canonical(detail.stored) !== canonical(detail.folded));
}

type Hold = Timeline['holds'][number];
const holdsByKey = (holds: readonly Hold[]) =>
  new Map(
    holds.map(
      ({ key, takes, uncovered, isUsage }) => [key, { takes, uncovered, isUsage }] as const,
    ),
  );

const subscriptionsByKey = (rows: readonly ({ subscription: string } & object)[]) =>
  new Map(rows.map((row) => [row.subscription, row] as const));

/** What the fold comes to otherwise than what is stored: a refold mends it. */
function foldDetails(stored: StoredBooks, difference: Difference): DifferenceDetail[] {
  const { timeline, totals, subscriptions } = stored;
  const { books, folded } = difference;
  const rows = books.subscriptions.map(({ customer: _customer, ...row }) => row);
  const dues = (dueUs: number | null) => new Map([['nextDueUs', dueUs]]);
  const reasons = (reason: string | null) => new Map([['reason', reason]]);
  return [
    ...lotDetails(stored, difference),
    ...compared('holds', holdsByKey(timeline.holds), holdsByKey(books.holds)),
    ...compared('totals', new Map(Object.entries(totals)), new Map(Object.entries(books.totals))),
    ...compared('subscriptions', subscriptionsByKey(subscriptions), subscriptionsByKey(rows)),
    ...compared(
      'suspension',
      reasons(timeline.suspendedReason),
      reasons(folded.suspended?.reason ?? null),
    ),
    ...compared('due', dues(timeline.nextDueUs), dues(folded.nextDueUs)),
  ];
}

/** What disagrees within the stored books themselves. */
function storedDetails({ timeline, moved, misfits }: StoredBooks): DifferenceDetail[] {
  const { balance, sum, lots, facts } = timeline;
  const isEmpty = ([, credits]: readonly [string, number]): boolean => credits !== 0;
  return [
    ...compared(
      'entries',
      new Map(Object.entries({ balance, misfits })),
      new Map(Object.entries({ balance: sum, misfits: 0 })),
    ),
    ...compared(
      'movements',
      new Map(lots.map(({ key, remaining }) => [key, remaining] as const).filter(isEmpty)),
      new Map(Object.entries(moved).filter(isEmpty)),
    ),
    ...facts
      .filter(({ differs }) => differs)
      .map(({ key }): DifferenceDetail => ({ kind: 'fact', key, stored: null, folded: null })),
  ];
}

/**
 * How a user's stored books differ from what the facts come to; null: not at all. Books that are behind (a
 * job's end, a month that fell due) may lack what is to come, and only that.
 */
export function auditOf(stored: StoredBooks, nowUs: number): BooksDifference | null {
  const { timeline } = stored;
  const difference = differenceOf(timeline, timeline.facts, { nowUs, told: [] });
  const isBehind = timeline.isStale || (timeline.nextDueUs !== null && timeline.nextDueUs <= nowUs);
  const fromFold = isBehind && difference.isExplained ? [] : foldDetails(stored, difference);
  const details = [...fromFold, ...storedDetails(stored)];
  if (details.length === 0) return null;
  const isOlder = timeline.foldVersion > 0 && timeline.foldVersion < foldVersion;
  const kinds = new Set(details.map(({ kind }) => kind));
  if (isOlder && fromFold.length > 0) kinds.add('older_fold');
  return {
    userId: timeline.userId,
    foldVersion: { stored: timeline.foldVersion, present: foldVersion },
    kinds: [...kinds],
    details,
  };
}

/** Whether a refold would change what is stored. */
export const isMendable = (difference: BooksDifference | null): boolean =>
  difference?.kinds.some((kind) => mended.some((one) => one === kind)) ?? false;

/** What an operator reads of it; what a refold cannot mend is told by its keys, so that more of it is news. */
export function noticeOf(difference: BooksDifference): Notice {
  const { userId, kinds, details } = difference;
  const isLasting = ({ kind }: DifferenceDetail): boolean => lasting.some((one) => one === kind);
  const keys = details.filter(isLasting).map(({ kind, key }) => `${kind} ${withoutAddresses(key)}`);
  const named = [...new Set(keys)].toSorted().slice(0, mostNamed);
  const isMended = isMendable(difference);
  return {
    kind: 'audit_difference',
    subject: { type: 'user', id: userId },
    detail: `The stored books are not what their facts come to: ${kinds.toSorted().join(', ')}.${
      isMended ? ' POST /v1/admin/users/{id}/refold mends what it can.' : ''
    }${named.length > 0 ? ` Look at: ${named.join(', ')}.` : ''}`,
    isAgain: isMended,
  };
}

/** Books that cannot be folded at all: a bug, which must not hide what is behind it. */
export const unfoldable = ({ timeline }: StoredBooks, error: unknown): BooksDifference => ({
  userId: timeline.userId,
  foldVersion: { stored: timeline.foldVersion, present: foldVersion },
  kinds: ['fold'],
  details: [{ kind: 'fold', key: String(error), stored: null, folded: null }],
});
