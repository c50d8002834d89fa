import { Books, outside, type ClawedBack, type Lot, type Payment } from './books.pure.ts';
import { entitled, entitledBy, type Standing } from './entitlement.pure.ts';
import {
  monthPosition,
  positionOf,
  timelineOf,
  type Fact,
  type HoldFact,
  type PackFact,
  type PlanFact,
  type ReleaseFact,
  type ReversalFact,
} from './facts.pure.ts';
import {
  applyPlan,
  applyState,
  grantMonth,
  nextMonthAt,
  creditsOutside,
  type PlanDid,
} from './plans.pure.ts';
import { payersOf, type Payers } from './payers.pure.ts';
import { Suspensions, type Suspended } from './suspensions.pure.ts';
import { standingOf, Subscriptions, type Subscription } from './subscriptions.pure.ts';

/** Raise it with every change of meaning: an audit then shows whose books would change. */
export const foldVersion = 2;

export type Did =
  | PlanDid
  | { rule: 'granted'; credits: number }
  | ({ rule: 'clawed_back' } & ClawedBack)
  | { rule: 'held'; credits: number; uncovered: number; isUsage: boolean }
  | { rule: 'released'; credits: number; charged: number; isUsage: boolean }
  | { rule: 'corrected'; credits: number; uncovered: number }
  | { rule: 'noted' };

/** What one fact, or one month that fell due, did to the lots. */
export type Step = {
  position: string;
  atUs: number;
  /** Of the fact, or of the month. */
  key: string;
  fact: Fact | null;
  did: Did;
  moves: { lot: Lot; credits: number }[];
  balance: number;
};

export type Folded = {
  books: Books;
  steps: Step[];
  subscriptions: Subscriptions;
  payers: Payers;
  /** First paid while another lived. */
  duplicates: { subscription: string; beside: string }[];
  suspended: Suspended | null;
  /** Every credit that was taken back or used and is not there. */
  shortfall: number;
  /** When a yearly plan's next month falls due, microseconds since 1970; null: no month is coming. */
  nextDueUs: number | null;
};

type TakenBack = { refunds: number; charge: number; rest: number };

/** The money of a payment that is gone; a charge's own total counts refunds that nobody named. */
const moneyOf = ({ refunds, charge, rest }: TakenBack, failed: number): number =>
  Math.max(refunds, charge - failed) + rest;

class Fold {
  readonly books = new Books();
  readonly subscriptions = new Subscriptions(this.books);
  readonly steps: Step[] = [];
  readonly duplicates: Folded['duplicates'] = [];
  readonly #takenBack = new Map<string, TakenBack>();
  readonly #failedRefunds = new Map<string, number>();
  readonly #suspensions = new Suspensions();
  readonly payers: Payers;

  constructor(timeline: readonly Fact[]) {
    this.payers = payersOf(timeline);
    for (const fact of timeline)
      if (fact.kind === 'reversal' && fact.source === 'refund' && !fact.taken)
        this.#failedRefunds.set(
          fact.payment,
          (this.#failedRefunds.get(fact.payment) ?? 0) + fact.amount,
        );
  }

  #record(step: Omit<Step, 'moves' | 'balance'>): void {
    const moves = [...this.books.moves]
      .filter(([, credits]) => credits !== 0)
      .map(([lot, credits]) => ({ lot, credits }));
    this.books.moves = new Map();
    this.steps.push({ ...step, moves, balance: this.books.balance });
  }

  apply(fact: Fact): void {
    const position = positionOf(fact);
    this.grantMonthsBefore(position);
    const did = this.#apply(fact, position);
    this.#record({ position, atUs: fact.atUs, key: fact.key, fact, did });
    if (fact.kind === 'state' && !this.payers.isOutside(fact))
      this.#grantMonth(this.subscriptions.of(fact.subscription), fact.atUs);
  }

  #apply(fact: Fact, opened: string): Did {
    const { books } = this;
    if (this.payers.isOutside(fact)) return this.#outside(fact, opened);
    switch (fact.kind) {
      case 'customer':
        return { rule: 'noted' };
      case 'signup':
        books.open({ key: fact.key, kind: 'bonus', subscription: null, opened }, fact.credits);
        return { rule: 'granted', credits: fact.credits };
      case 'state':
        return applyState(books, this.subscriptions.learnState(fact), fact, opened);
      case 'invoice':
        this.subscriptions.learnInvoice(fact);
        return { rule: 'noted' };
      case 'plan':
        return this.#plan(fact, opened);
      case 'pack':
        return this.#pack(fact, opened);
      case 'reversal':
        return this.#reverse(fact);
      case 'allowance':
        return this.#allow(fact.key, fact.credits, fact.atUs, opened);
      case 'adjustment':
        return this.#adjust(fact.key, fact.credits, opened);
      case 'suspension':
        this.#suspensions.order(fact);
        return { rule: 'noted' };
      case 'hold':
        return this.#hold(fact);
      case 'release':
        return this.#release(fact);
    }
  }

  #plan(fact: PlanFact, opened: string): Did {
    const payment = this.books.pay(fact.key, fact.total, this.#moneyTaken(fact.key));
    const beside = this.subscriptions.besides(fact.subscription);
    if (beside !== null) this.duplicates.push({ subscription: fact.subscription, beside });
    const isNewest = this.subscriptions.learnPaid(fact, payment);
    const subscription = this.subscriptions.of(fact.subscription);
    const did = applyPlan(this.books, subscription, fact, payment, { isNewest, opened });
    this.books.clawBack(payment);
    return did;
  }

  /** Paid by somebody else: credits beside what the account has, and nothing of it is touched. */
  #outside(fact: Fact, opened: string): Did {
    if (fact.kind !== 'plan' && fact.kind !== 'pack') return { rule: 'noted' };
    this.#suspensions.payOutside(fact.key);
    if (fact.kind === 'pack') return this.#pack(fact, outside(opened));
    const credits = creditsOutside(fact);
    this.#open(fact, credits, outside(opened));
    return { rule: 'outside', plan: fact.terms.plan, credits };
  }

  /** Opens a lot of its own for a payment. */
  #open(fact: PlanFact | PackFact, credits: number, opened: string): void {
    const payment = this.books.pay(fact.key, fact.total, this.#moneyTaken(fact.key));
    const lot = { key: fact.key, kind: 'purchased', subscription: null, opened } as const;
    payment.bought = credits;
    this.books.open(lot, credits, payment);
    this.books.clawBack(payment);
  }

  #pack(fact: PackFact, opened: string): Did {
    this.#open(fact, fact.credits, opened);
    return { rule: 'granted', credits: fact.credits };
  }

  #moneyTaken(payment: string): number {
    const takenBack = this.#takenBack.get(payment);
    return takenBack ? moneyOf(takenBack, this.#failedRefunds.get(payment) ?? 0) : 0;
  }

  /** A refund that failed and a dispute that was won are as if they never were. */
  #reverse(fact: ReversalFact): Did {
    if (!fact.taken) return { rule: 'noted' };
    const none = { refunds: 0, charge: 0, rest: 0 };
    const money = this.#takenBack.get(fact.payment) ?? none;
    this.#takenBack.set(fact.payment, money);
    if (fact.source === 'charge') money.charge += fact.amount;
    else if (fact.source === 'refund') money.refunds += fact.amount;
    else money.rest += fact.amount;
    if (fact.source === 'dispute') this.#suspensions.dispute(fact);
    const payment = this.books.payments.get(fact.payment);
    if (!payment) return { rule: 'noted' };
    payment.taken = this.#moneyTaken(fact.payment);
    return { rule: 'clawed_back', ...this.books.clawBack(payment) };
  }

  #allow(key: string, credits: number, atUs: number, opened: string): Did {
    if (entitled(this.subscriptions.standings(), atUs)) return { rule: 'noted' };
    this.books.expire((lot) => lot.key.startsWith('allowance:'));
    this.books.open({ key, kind: 'bonus', subscription: null, opened }, credits);
    return { rule: 'granted', credits };
  }

  #adjust(key: string, credits: number, opened: string): Did {
    if (credits >= 0) {
      this.books.open({ key, kind: 'bonus', subscription: null, opened }, credits);
      return { rule: 'granted', credits };
    }
    const takes = this.books.take(-credits, 'correction');
    const uncovered = takes.reduce((left, take) => left - take.credits, -credits);
    this.books.uncovered += uncovered;
    return { rule: 'corrected', credits, uncovered };
  }

  #hold(fact: HoldFact): Did {
    const plan = entitled(this.subscriptions.standings(), fact.atUs);
    const isUsage = plan?.credits === null;
    for (const subscription of this.subscriptions.all.values()) {
      const isUsed = entitledBy(standingOf(subscription), fact.atUs)?.credits === null;
      if (isUsed && subscription.newest)
        this.#suspensions.useUnlimited(subscription.newest.payment.key);
    }
    const { uncovered } = this.books.hold(fact.key, fact.credits, isUsage);
    return { rule: 'held', credits: fact.credits, uncovered, isUsage };
  }

  #release(fact: ReleaseFact): Did {
    const hold = this.books.release(fact.hold, fact.credits);
    const charged = hold && !hold.isUsage ? hold.credits - fact.credits : 0;
    return { rule: 'released', credits: fact.credits, charged, isUsage: hold?.isUsage ?? false };
  }

  /** A month that falls due; or one that waited, when a state comes. */
  #grantMonth(subscription: Subscription, atUs: number): void {
    const position = `${monthPosition(atUs)}.${subscription.account.id}`;
    const granted = grantMonth(this.books, subscription, atUs, position);
    if (granted) this.#record({ position, atUs, key: granted.key, fact: null, did: granted.did });
  }

  /** The next month of any yearly plan: whose, and when. */
  #nextMonth(): { subscription: Subscription; atUs: number } | null {
    const due = [...this.subscriptions.all.values()].flatMap((subscription) => {
      const at = subscription.yearly && nextMonthAt(subscription.yearly);
      return at === null ? [] : [{ subscription, atUs: at * 1e6 }];
    });
    const [next = null] = due.toSorted(
      (a, b) => a.atUs - b.atUs || (a.subscription.account.id < b.subscription.account.id ? -1 : 1),
    );
    return next;
  }

  grantMonthsBefore(position: string): void {
    for (let due = this.#nextMonth(); due; due = this.#nextMonth()) {
      const { subscription, atUs } = due;
      if (monthPosition(atUs) >= position || !subscription.yearly) return;
      subscription.yearly.next += 1;
      this.#grantMonth(subscription, atUs);
    }
  }

  nextDueUs(): number | null {
    return this.#nextMonth()?.atUs ?? null;
  }

  shortfall(): number {
    const payments: Iterable<Payment> = this.books.payments.values();
    let shortfall = this.books.uncovered;
    for (const payment of payments) shortfall += payment.shortfall;
    return shortfall;
  }

  suspended(): Suspended | null {
    return this.#suspensions.present(this.books.payments.values(), this.books.uncovered);
  }
}

/**
 * A user's books: what their facts come to by `nowUs` (microseconds since 1970). The same facts give the
 * same books, in whatever order they were learned.
 */
export function fold(facts: readonly Fact[], nowUs: number): Folded {
  const timeline = timelineOf(facts);
  const run = new Fold(timeline);
  for (const fact of timeline) run.apply(fact);
  run.grantMonthsBefore(monthPosition(nowUs + 1));
  const { books, steps, subscriptions, payers, duplicates } = run;
  const [suspended, shortfall, nextDueUs] = [run.suspended(), run.shortfall(), run.nextDueUs()];
  return { books, steps, subscriptions, payers, duplicates, suspended, shortfall, nextDueUs };
}

/** What entitles at the end of a timeline. */
export const standingsOf = ({ subscriptions }: Folded): Standing[] => subscriptions.standings();
