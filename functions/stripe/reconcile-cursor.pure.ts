import { asInteger, asText } from './normalise/json.pure.ts';

/** The lists that are walked, in their order: who pays is told before what was paid, and that before what went back. */
export const listNames = [
  'prices',
  'products',
  'sessions',
  'subscriptions',
  'ended',
  'invoices',
  'charges',
  'refunds',
  'disputes',
  'credit_notes',
] as const;
export type ListName = (typeof listNames)[number];

/** Whose objects: a customer's, a session's with all that hangs on it, or everybody's. */
export type Target = { customer: string } | { session: string } | null;

/** Where a walk stands: in which list of which target, after which object. */
export type Place = {
  target: number;
  list: ListName;
  /** Null: at its beginning. `created`, unix seconds: where to go on if the object itself is gone. */
  after: { id: string; created: number } | null;
};

const day = 86_400;
/** What Stripe has lists by `created`, and a run may begin before another's objects are all there. */
const overlapDays = 3;

/**
 * Days after its creation that an object may still change in what it means here.
 * Sessions: a bank's money takes up to two weeks. Invoices: dunning may last two months. Refunds fail up to
 * 30 days later. Disputes are decided after up to half a year. Credit notes are voided while their invoice is open.
 */
const lateDays: Partial<Record<ListName, number>> = {
  sessions: 14,
  invoices: 62,
  refunds: 30,
  disputes: 180,
  credit_notes: 62,
};

/** From which moment a list is read, unix seconds; null: from its beginning. */
export function readFrom(list: ListName, since: number | null): number | null {
  const late = lateDays[list];
  return since === null || late === undefined ? null : since - (late + overlapDays) * day;
}

const listsOf = (target: Target): readonly ListName[] => {
  if (target === null) return listNames.filter((name) => name !== 'charges');
  if ('session' in target) return ['sessions'];
  return ['sessions', 'subscriptions', 'ended', 'invoices', 'charges', 'credit_notes'];
};

/** Where the walk of a target begins; null: there is none. */
export function beginOf(targets: readonly Target[], target = 0): Place | null {
  const given = targets[target];
  const [list] = given === undefined ? [] : listsOf(given);
  return list === undefined ? null : { target, list, after: null };
}

/** Where the walk goes on when a list has been read to its end. */
export function nextList(targets: readonly Target[], { target, list }: Place): Place | null {
  const lists = listsOf(targets[target] ?? null);
  const next = lists[lists.indexOf(list) + 1];
  return next === undefined ? beginOf(targets, target + 1) : { target, list: next, after: null };
}

/** A place as text that nobody else has to read. */
export function cursorOf({ target, list, after }: Place): string {
  const text = JSON.stringify([target, list, after?.id ?? null, after?.created ?? null]);
  return btoa(encodeURIComponent(text))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replace(/=+$/, '');
}

/** Undefined for a text that is none of ours. */
export function placeOf(cursor: string): Place | undefined {
  try {
    const text = atob(cursor.replaceAll('-', '+').replaceAll('_', '/'));
    const parts = JSON.parse(decodeURIComponent(text)) as unknown;
    const [target, list, id, created] = Array.isArray(parts) ? (parts as unknown[]) : [];
    const name = listNames.find((one) => one === list);
    const at = asInteger(target);
    if (name === undefined || at === undefined || at < 0) return undefined;
    if (id === null) return { target: at, list: name, after: null };
    const after = { id: asText(id), created: asInteger(created) };
    if (after.id === undefined || after.created === undefined) return undefined;
    return { target: at, list: name, after: { id: after.id, created: after.created } };
  } catch {
    return undefined;
  }
}
