import { isoOfUs, isoOrNull, isoTime } from '../shared/time.pure.ts';
import type { Lot } from './books.pure.ts';
import { entryView, type EntryRow } from './entry-view.pure.ts';
import type { Fact, ReversalFact } from './facts.pure.ts';
import type { Folded, Step } from './fold.pure.ts';
import { objectIdsOf, sayStep, some } from './sentences.pure.ts';

/** A ledger entry's row with what it did to the lots. */
export type ExplainedRow = EntryRow & {
  idempotency_key: string;
  fact_key: string | null;
  movements: Record<string, number>;
  details: Record<string, unknown>;
};

/** An event that is not applied. */
export type OpenEvent = {
  event_id: string;
  type: string;
  status: string;
  attempts: number;
  error_code: string | null;
  error: string | null;
  stripe_created_at: string;
  next_attempt_at: string | null;
};

export const lotView = ({ opened: _opened, ...lot }: Lot): Omit<Lot, 'opened'> => lot;

/** A step of the fold; `key` is its fact's, or its month's. */
export const stepView = (step: Step) => ({
  at: isoOfUs(step.atUs),
  key: step.key,
  kind: step.fact?.kind ?? 'month',
  says: sayStep(step),
  moves: step.moves.map(({ lot, credits }) => ({ lot: lot.key, credits })),
  balance: step.balance,
  objectIds: objectIdsOf(step),
});

/** What was paid, what it bought, and what took it back. */
export function paymentViews({ books }: Folded, facts: readonly Fact[]) {
  const reversals = facts.filter((fact): fact is ReversalFact => fact.kind === 'reversal');
  return [...books.payments.values()].map(({ key, total, taken, bought, claimed, shortfall }) => ({
    key,
    total,
    taken: Math.min(taken, total),
    bought,
    claimed,
    shortfall,
    reversals: reversals
      .filter(({ payment }) => payment === key)
      .map(({ reversal, source, amount, taken }) => ({ id: reversal, source, amount, taken })),
  }));
}

/** An entry, which stays as it was posted, and what its cause does in the books as they are now. */
export function explainedView(row: ExplainedRow, steps: ReadonlyMap<string, Step>) {
  const step = steps.get(row.fact_key ?? '');
  return {
    ...entryView(row),
    idempotencyKey: row.idempotency_key,
    factKey: row.fact_key,
    movements: row.movements,
    details: row.details,
    objectIds: step ? objectIdsOf(step) : [],
    says: sayEntry(row, step),
  };
}

function sayEntry({ amount, movements }: ExplainedRow, step: Step | undefined): string {
  const moved = `${amount < 0 ? '' : '+'}${some(amount)}`;
  if (!step) return `The books were folded anew: ${moved}.`;
  const isSame =
    step.moves.length === Object.keys(movements).length &&
    step.moves.every(({ lot, credits }) => movements[lot.key] === credits);
  // What was learned late, or otherwise later, moved what it and all after it came to.
  return isSame
    ? sayStep(step)
    : `${sayStep(step)} As it was learned, the books moved by ${moved}.`;
}

export const openView = (event: OpenEvent) => ({
  eventId: event.event_id,
  type: event.type,
  status: event.status,
  attempts: event.attempts,
  errorCode: event.error_code,
  error: event.error,
  stripeCreatedAt: isoTime(event.stripe_created_at),
  nextAttemptAt: isoOrNull(event.next_attempt_at),
});

/** Where a page of both lists ended: an entry's id, a step's key. */
export type ExplainCursor = { entry: number; step: string };

/** `{entry id}~{step key, base64url}`. */
export const cursorText = ({ entry, step }: ExplainCursor): string =>
  `${entry}~${btoa(encodeURIComponent(step)).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')}`;

/** Null: no cursor of ours. */
export function readCursor(text: string): ExplainCursor | null {
  const [entry, step] = text.match(/^(\d{1,16})~([\w-]+)$/)?.slice(1) ?? [];
  if (entry === undefined || step === undefined) return null;
  try {
    const key = decodeURIComponent(atob(step.replaceAll('-', '+').replaceAll('_', '/')));
    return { entry: Number(entry), step: key };
  } catch {
    return null;
  }
}

/** Up to `limit` steps, newest first, older than the one whose key is given; null: there is no such one. */
export function stepPage(steps: readonly Step[], limit: number, before: string | undefined) {
  const end = before === undefined ? steps.length : steps.findIndex(({ key }) => key === before);
  return end < 0 ? null : steps.slice(Math.max(0, end - limit), end).toReversed();
}
