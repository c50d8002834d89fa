import { isOutsideWithin, type Account, type Books, type Lot, type Payment } from './books.pure.ts';
import type { PlanFact, PlanTerms, RenewalMode, StateFact } from './facts.pure.ts';
import { addMonths, monthAt, monthsUntil } from './months.pure.ts';
import { entitledBy } from './entitlement.pure.ts';
import { isTakenBack, standingOf, type Subscription, type Yearly } from './subscriptions.pure.ts';

/** What a fact about a plan did, for whoever asks why. */
export type PlanDid =
  | { rule: 'reset'; plan: string; credits: number | null; expired: number }
  | { rule: 'trial' | 'left_unlimited' | 'month'; plan: string; credits: number; expired: number }
  | { rule: 'outside'; plan: string; credits: number }
  | { rule: 'cap'; plan: string; cut: number; restored: number; added: number }
  | { rule: 'period_over' | 'superseded' | 'trial_extended' | 'none'; plan: string };

const level = (terms: PlanTerms, quantity: number): number =>
  terms.credits === null ? Infinity : terms.credits * quantity;

const grantKey = (periodEnd: number, terms: PlanTerms): string => `${periodEnd}:${terms.plan}`;

/** Granted in this period, and not taken back since. */
function isGranted(account: Account, periodEnd: number, terms: PlanTerms): boolean {
  const grant = account.grants.get(grantKey(periodEnd, terms));
  return grant !== undefined && !isTakenBack(grant.payment);
}

type Reset = { account: Account; terms: PlanTerms; mode: RenewalMode; opened: string };

/** What a plan that is paid for makes expire; an unlimited one only what its own subscription granted. */
function expireBefore(books: Books, { account, terms, mode, opened }: Reset): number {
  return books.expire((lot: Lot) => {
    if (isOutsideWithin(lot, opened)) return false;
    if (lot.subscription === account.id) return true;
    if (terms.credits === null) return false;
    if (lot.subscription !== null) return books.account(lot.subscription).isEnded;
    return lot.kind === 'bonus' || (lot.kind === 'purchased' && mode === 'reset-all');
  });
}

function remember(account: Account, fact: PlanFact, payment: Payment): void {
  const { terms, quantity, periodStart } = fact;
  account.granted = { terms, quantity };
  account.grants.set(grantKey(fact.periodEnd, terms), { payment, quantity, periodStart });
  account.caps = [];
}

/** The full period that a line lies in: a proration begins with the change, its period before it. */
function periodStartOf({ state }: Subscription, fact: PlanFact): number {
  const isItsPeriod = fact.form !== 'full' && state?.periodEnd === fact.periodEnd;
  return (isItsPeriod ? state.periodStart : null) ?? fact.periodStart;
}

/** A plan paid for anew: what was granted before expires, its credits (or its month's) are granted. */
function reset(
  books: Books,
  subscription: Subscription,
  fact: PlanFact,
  payment: Payment,
  opened: string,
): PlanDid {
  const { account } = subscription;
  const { terms, quantity } = fact;
  const { plan } = terms;
  const expired = expireBefore(books, { account, terms, mode: fact.mode, opened });
  remember(account, fact, payment);
  if (terms.credits === null) return { rule: 'reset', plan, credits: null, expired };
  const credits = level(terms, quantity);
  const key = `plan:${account.id}:${grantKey(fact.periodEnd, terms)}:${fact.invoice}`;
  payment.bought = buys(subscription, fact, payment);
  books.open({ key, kind: 'plan', subscription: account.id, opened }, credits, payment);
  return { rule: 'reset', plan, credits, expired };
}

/** The credits of a plan that begins: where it grants monthly, those of its coming months too. */
function buys(subscription: Subscription, fact: PlanFact, payment: Payment): number {
  const { terms, quantity, periodEnd } = fact;
  const credits = level(terms, quantity);
  if (!terms.grantsMonthly) return credits;
  const anchor = periodStartOf(subscription, fact);
  const count = Math.min(12, monthsUntil(anchor, periodEnd));
  const now = Math.min(monthAt(anchor, fact.atUs / 1e6), count - 1);
  subscription.yearly = { fact, payment, anchor, count, next: now + 1, granted: now };
  return credits * (count - now);
}

/** Who paid for the unlimited plan that was granted last, if it was in this period and still is paid. */
function paidUnlimited(account: Account, periodEnd: number): Payment | undefined {
  if (account.granted?.terms.credits !== null) return undefined;
  const payment = account.grants.get(grantKey(periodEnd, account.granted.terms))?.payment;
  return payment && !isTakenBack(payment) ? payment : undefined;
}

/**
 * Leaving an unlimited plan within its period for a metered one: that plan, once a period. What the
 * unlimited plan cost has paid for it.
 */
function leaveUnlimited(
  books: Books,
  subscription: Subscription,
  fact: PlanFact,
  payment: Payment,
  opened: string,
): PlanDid {
  const { account } = subscription;
  const { terms, quantity, periodEnd } = fact;
  const credits = level(terms, quantity);
  remember(account, fact, payment);
  payment.bought += buys(subscription, fact, payment);
  const key = `left:${account.id}:${grantKey(periodEnd, terms)}`;
  books.open({ key, kind: 'plan', subscription: account.id, opened }, credits, payment);
  books.clawBack(payment);
  return { rule: 'left_unlimited', plan: terms.plan, credits, expired: 0 };
}

/** More of a plan within its period: the difference, for the share of the period that is left. */
function addQuantity(
  books: Books,
  subscription: Subscription,
  fact: PlanFact,
  payment: Payment,
  opened: string,
): number {
  const { account } = subscription;
  const { terms, quantity, periodStart, periodEnd } = fact;
  const grant = account.grants.get(grantKey(periodEnd, terms));
  if (!grant || terms.credits === null || quantity <= grant.quantity || fact.charge <= 0) return 0;
  const start = Math.min(periodStartOf(subscription, fact), grant.periodStart);
  const more = terms.credits * (quantity - grant.quantity);
  const credits = Math.floor((more * (periodEnd - periodStart)) / Math.max(1, periodEnd - start));
  grant.quantity = quantity;
  account.granted = { terms, quantity };
  payment.bought = credits;
  const key = `quantity:${account.id}:${fact.invoice}`;
  books.open({ key, kind: 'plan', subscription: account.id, opened }, credits, payment);
  return credits;
}

/** A change that buys no period: lots are cut to the plan's credits, nothing is minted. */
function change(
  books: Books,
  subscription: Subscription,
  fact: PlanFact,
  payment: Payment,
  opened: string,
): PlanDid {
  const { account } = subscription;
  const { terms, quantity } = fact;
  const credits = level(terms, quantity);
  const isPaidAgain = fact.charge > 0 && isGranted(account, fact.periodEnd, terms);
  const restored = isPaidAgain ? books.uncap(account, credits) : 0;
  const added = addQuantity(books, subscription, fact, payment, opened);
  const cut = books.cap(account, credits);
  return { rule: 'cap', plan: terms.plan, cut, restored, added };
}

/** A paid invoice of a plan. `isNewest`: no other paid invoice's period begins later. */
export function applyPlan(
  books: Books,
  subscription: Subscription,
  fact: PlanFact,
  payment: Payment,
  { isNewest, opened }: { isNewest: boolean; opened: string },
): PlanDid {
  const { account, yearly } = subscription;
  const { terms, form, periodEnd } = fact;
  const { plan } = terms;
  const isItsYear = yearly?.fact.terms.plan === plan && yearly.fact.periodEnd === periodEnd;
  if (isNewest && !isItsYear && form !== 'trial') subscription.yearly = null;
  if (!fact.isTimeGuessed && fact.atUs >= periodEnd * 1e6) return { rule: 'period_over', plan };
  if (!isNewest) return { rule: 'superseded', plan };
  if (form === 'trial') return trial(books, account, fact, payment, opened);

  const isFirst = !isGranted(account, periodEnd, terms);
  if (isFirst && (form === 'full' || fact.charge > 0))
    return reset(books, subscription, fact, payment, opened);
  const left = isFirst && terms.credits !== null && paidUnlimited(account, periodEnd);
  if (left) return leaveUnlimited(books, subscription, fact, left, opened);
  return change(books, subscription, fact, payment, opened);
}

/**
 * What a plan that is somebody else's comes to: the credits of all its months, for a period that was bought. A
 * trial would be credits for nothing, again and again.
 */
export function creditsOutside(fact: PlanFact): number {
  const { terms, quantity, form, periodStart, periodEnd, isTimeGuessed, atUs } = fact;
  const isOver = !isTimeGuessed && atUs >= periodEnd * 1e6;
  if (form !== 'full' || isOver || terms.credits === null) return 0;
  const months = terms.grantsMonthly ? Math.min(12, monthsUntil(periodStart, periodEnd)) : 1;
  return level(terms, quantity) * months;
}

/** The first zero line of a subscription; a later one extends the trial and changes nothing. */
function trial(
  books: Books,
  account: Account,
  { terms, invoice }: PlanFact,
  payment: Payment,
  opened: string,
): PlanDid {
  const { plan, trialCredits: credits } = terms;
  if (account.isTrialGranted || account.granted) return { rule: 'trial_extended', plan };
  account.isTrialGranted = true;
  payment.bought = credits;
  const key = `trial:${account.id}:${invoice}`;
  books.open({ key, kind: 'plan', subscription: account.id, opened }, credits, payment);
  return { rule: 'trial', plan, credits, expired: 0 };
}

/** A state with less than was granted last is a downgrade at once: it has no invoice. */
export function applyState(
  books: Books,
  subscription: Subscription,
  state: StateFact,
  opened: string,
): PlanDid {
  const { account, newest } = subscription;
  const { terms, quantity, periodEnd } = state;
  const none: PlanDid = { rule: 'none', plan: terms?.plan ?? '' };
  if (!terms || !account.granted || account.isEnded) return none;
  const credits = level(terms, quantity);
  if (credits >= level(account.granted.terms, account.granted.quantity)) return none;
  const isNow = newest && newest.fact.periodEnd === periodEnd && state.atUs < periodEnd * 1e6;
  const left = isNow && paidUnlimited(account, newest.fact.periodEnd);
  if (left && !isGranted(account, newest.fact.periodEnd, terms)) {
    const fact: PlanFact = { ...newest.fact, atUs: state.atUs, terms, quantity };
    return leaveUnlimited(books, subscription, fact, left, opened);
  }
  return { rule: 'cap', plan: terms.plan, cut: books.cap(account, credits), restored: 0, added: 0 };
}

/** When a yearly plan's next month falls due, unix seconds; null: none is left. */
export const nextMonthAt = ({ next, count, anchor }: Yearly): number | null =>
  next < count ? addMonths(anchor, next) : null;

/**
 * The running month of a yearly plan, once: while the subscription is paid up and as far as its money
 * was not taken back. Otherwise it waits for a state that is.
 */
export function grantMonth(
  books: Books,
  subscription: Subscription,
  atUs: number,
  opened: string,
): { key: string; did: PlanDid } | null {
  const { account, state, yearly } = subscription;
  if (!yearly || yearly.granted === yearly.next - 1) return null;
  const { fact, payment, count } = yearly;
  const { terms, quantity, mode } = fact;
  const month = yearly.next - 1;
  const held = state?.terms ? level(state.terms, state.quantity) : Infinity;
  const isPaidUp =
    state?.status !== 'past_due' && entitledBy(standingOf(subscription), atUs) !== null;
  const credits = Math.min(level(terms, quantity), held);
  const left = Math.min(credits, level(terms, quantity) * (count - month) - payment.absorbed);
  if (!isPaidUp || left <= 0) return null;
  const expired = expireBefore(books, { account, terms, mode, opened });
  account.caps = [];
  yearly.granted = month;
  const key = `month:${account.id}:${fact.invoice}:${month}`;
  books.open({ key, kind: 'plan', subscription: account.id, opened }, left, payment);
  return { key, did: { rule: 'month', plan: terms.plan, credits: left, expired } };
}
