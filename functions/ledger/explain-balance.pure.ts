import type { EntryRow } from './entry-view.pure.ts';

/** A ledger entry as the database gives it, with what it did to the lots; times as text. */
export type ExplainedRow = EntryRow & {
  business_key: string;
  details: Record<string, unknown>;
  /** Stripe ids of the payment that the entry is about. */
  refs: string[];
  /** Credits put into lots, and taken out of them. */
  added: number;
  taken: number;
  /** Credits that came back to a plan lot that was closed meanwhile. */
  lapsed: number;
};

type Entry = ExplainedRow;

const credits = (count: number): string => {
  const digits = String(Math.abs(count)).replace(/\B(?=(\d{3})+$)/g, ',');
  return `${count < 0 ? '-' : ''}${digits}`;
};
const some = (count: number, what = 'credit'): string =>
  `${credits(count)} ${what}${count === 1 ? '' : 's'}`;

const numberIn = (entry: Entry, name: string): number => {
  const value = entry.details[name];
  return typeof value === 'number' ? value : 0;
};

const textIn = (entry: Entry, name: string): string | undefined => {
  const value = entry.details[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
};

/** `plan:{subscription}:{period end, unix s}:{plan}[:{month's first day}]`, as `rowloom.plan_key` makes it. */
function periodOf(entry: Entry): { end?: string; month?: string } {
  const found = /^plan:[^:]+:(\d{1,11}):.*?(?::(\d{4}-\d{2}-\d{2}))?$/.exec(entry.business_key);
  if (found?.[1] === undefined) return {};
  const end = new Date(Number(found[1]) * 1000).toISOString().slice(0, 10);
  return { end, ...(found[2] !== undefined && { month: found[2] }) };
}

const causes: Record<string, string> = {
  plan_grant: 'First paid invoice of',
  plan_renewal: 'Renewal of',
  plan_change: 'Change to',
};

/** A SET makes the whole balance the plan's; where purchased credits were kept, it is more. */
function balanceSet(entry: Entry): string {
  const whole = entry.balance_after === entry.added;
  const set = whole
    ? `balance set to ${credits(entry.added)}`
    : `plan credits set to ${credits(entry.added)}, balance ${credits(entry.balance_after)}`;
  return entry.taken > 0 ? `${set}; ${some(entry.taken, 'unused credit')} lapsed.` : `${set}.`;
}

function sayPlan(entry: Entry): string {
  const plan = `plan ${textIn(entry, 'plan') ?? '(unnamed)'}`;
  const { end, month } = periodOf(entry);
  const period = end === undefined ? '' : ` for the period ending ${end}`;
  if (entry.details['late'] === true)
    return `Invoice ${entry.source_id} of ${plan}${period} came after a newer one: nothing changed.`;
  if (entry.business_key.startsWith('plan_again:'))
    return entry.taken === 0
      ? `Return to ${plan}, granted before in this period: nothing added.`
      : `Return to ${plan}, granted before in this period: plan credits cut by ${credits(entry.taken)}, nothing added.`;
  const cause =
    month === undefined
      ? `${causes[entry.kind] ?? 'Grant of'} ${plan}${period}`
      : `Month from ${month} of ${plan}, paid${period}`;
  return entry.details['unlimited'] === true
    ? `${cause}: unlimited, so the balance stays at ${credits(entry.balance_after)}.`
    : `${cause}: ${balanceSet(entry)}`;
}

/** The end of a sentence: credits that came to a lot that a later period had closed. */
const andLapsed = (entry: Entry): string =>
  entry.lapsed === 0 ? '.' : `; ${some(entry.lapsed)} of before the newest reset lapsed.`;

function sayRelease(entry: Entry): string {
  const back = `Job ${entry.job_id ?? entry.source_id} ended: ${some(entry.amount)} given back`;
  return `${back}, ${credits(numberIn(entry, 'charged'))} charged${andLapsed(entry)}`;
}

function sayPack(entry: Entry): string {
  const pack = `${numberIn(entry, 'quantity') || 1} × pack ${textIn(entry, 'pack') ?? '(unnamed)'}`;
  return `Purchase of ${pack}: ${some(entry.amount)} added${andLapsed(entry)}`;
}

const reversals: Record<string, string> = {
  stripe_refund: 'Refund',
  stripe_refund_total: 'Refund of charge',
  stripe_dispute: 'Dispute',
};

/** Money as Stripe counts it: the entry does not know the currency. */
const moneyOf = (entry: Entry): string =>
  `over ${credits(numberIn(entry, 'amountCents'))} (minor units)`;

function sayReversal(entry: Entry): string {
  const what = reversals[entry.source_type] ?? 'Reversal';
  const claim = `${what} ${entry.source_id} ${moneyOf(entry)}`;
  if (entry.details['late'] === true)
    return `${claim} came after a reset that is newer than it: nothing changed.`;
  if (entry.kind === 'give_back')
    return `${claim} claims less than before: ${some(entry.amount)} given back${andLapsed(entry)}`;
  const shortfall = numberIn(entry, 'shortfall');
  const taken = `${claim}: ${some(-entry.amount)} taken back`;
  return shortfall === 0
    ? `${taken}.`
    : `${taken}; ${credits(shortfall)} more had been spent (shortfall).`;
}

function sayAdmin(entry: Entry): string {
  const done =
    entry.amount >= 0
      ? `added ${some(entry.amount, 'bonus credit')}`
      : `took back ${some(-entry.amount)}`;
  const reason = textIn(entry, 'reason');
  return reason === undefined
    ? `An operator ${done}.`
    : `An operator ${done}: "${reason.replace(/\s+/g, ' ')}".`;
}

/** One plain sentence on what an entry did and why; a kind that is new here is named as it is. */
export function sayEntry(entry: Entry): string {
  switch (entry.kind) {
    case 'signup':
      return `Sign-up: ${some(entry.amount, 'bonus credit')} added.`;
    case 'plan_grant':
    case 'plan_renewal':
    case 'plan_change':
      return sayPlan(entry);
    case 'pack':
      return sayPack(entry);
    case 'hold':
      return `Job ${entry.job_id ?? entry.source_id} started: ${some(-entry.amount)} held.`;
    case 'release':
      return sayRelease(entry);
    case 'usage':
      return `Job ${entry.job_id ?? entry.source_id} ended on an unlimited plan: ${some(numberIn(entry, 'rows'), 'row')}, nothing charged.`;
    case 'take_back':
    case 'give_back':
      return sayReversal(entry);
    case 'admin':
      return sayAdmin(entry);
    default:
      return `${entry.kind}: ${entry.amount < 0 ? '' : '+'}${some(entry.amount)}.`;
  }
}

/** The Stripe ids by which an operator finds an entry's cause in Stripe's dashboard. */
export function stripeIdsOf(entry: Entry): { eventIds: string[]; objectIds: string[] } {
  const eventId = textIn(entry, 'eventId');
  const own = entry.source_type.startsWith('stripe_') ? entry.source_id : undefined;
  const objectIds = [own, textIn(entry, 'subscriptionId'), ...entry.refs];
  return {
    // What was read from Stripe instead of delivered has an id of ours (`read:…`).
    eventIds: eventId === undefined || eventId.startsWith('read:') ? [] : [eventId],
    objectIds: [...new Set(objectIds.filter((id) => id !== undefined))],
  };
}
