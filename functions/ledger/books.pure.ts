import type { PlanTerms } from './facts.pure.ts';

export type LotKind = 'plan' | 'bonus' | 'purchased';

/** Credits that came together. granted = remaining + held or spent + lapsed + cut + clawed back. */
export type Lot = {
  key: string;
  kind: LotKind;
  /** Of a plan's lot. */
  subscription: string | null;
  /** The fact that paid for it; null: nobody did. */
  payment: string | null;
  /** Where it was opened in the timeline: within a kind the oldest is spent first. See `outside`. */
  opened: string;
  granted: number;
  remaining: number;
  isExpired: boolean;
  /** What expired of it. */
  lapsed: number;
  /** What a cap took; it comes back when the plan is paid for again in its period. */
  cut: number;
};

export type Take = { lot: Lot; credits: number };

/** What a job's run took, in order; `isUsage`: the plan was unlimited, nothing was taken. */
export type Hold = { credits: number; takes: Take[]; uncovered: number; isUsage: boolean };

/** What was paid at once, what it bought, and what became of that when money went back. */
export type Payment = {
  key: string;
  /** Minor units. */
  total: number;
  taken: number;
  /** Credits, with those of a yearly plan's coming months. */
  bought: number;
  lots: Lot[];
  /** Credits of coming months that will not be granted, the last months first. */
  absorbed: number;
  /** Credits claimed in all; those of them that had lapsed; those that were spent. */
  claimed: number;
  claimedLapsed: number;
  shortfall: number;
};

/** What a subscription was granted, and under which ceiling it is. */
export type Account = {
  id: string;
  isEnded: boolean;
  isTrialGranted: boolean;
  /** What was granted last. */
  granted: { terms: PlanTerms; quantity: number } | null;
  /** Who paid, and the highest quantity paid for, by `{period end}:{plan}`. */
  grants: Map<string, { payment: Payment; quantity: number; periodStart: number }>;
  /** Since the last grant, each lower than the one before. */
  caps: Cap[];
};

/** `room`: what `holds`, those from before the cap, may still bring back. */
export type Cap = { credits: number; room: number; holds: Set<string> };

const orders = {
  spending: ['plan', 'bonus', 'purchased'],
  correction: ['bonus', 'purchased', 'plan'],
} satisfies Record<string, LotKind[]>;

/**
 * Where a lot stands that somebody else paid for: after all of the account's own, so that these are spent as if
 * it were not there.
 */
export const outside = (opened: string): string => `~${opened}`;

const isOutside = ({ opened }: Lot): boolean => opened.startsWith('~');

/** Whether somebody else paid for a lot in the second of a position: no clock tells which of the two came first. */
export const isOutsideWithin = ({ opened }: Lot, position: string): boolean =>
  opened.startsWith(outside(position.slice(0, 11)));

const sum = (numbers: number[]): number => numbers.reduce((total, one) => total + one, 0);

/** What a share of a payment's money is in credits, rounded down. */
const claimOf = ({ bought, taken, total }: Payment): number =>
  total <= 0 ? 0 : Number((BigInt(bought) * BigInt(Math.min(taken, total))) / BigInt(total));

export type ClawedBack = { absorbed: number; taken: number; lapsed: number; shortfall: number };

/** One user's lots, holds and payments, and the few things that can happen to them. */
export class Books {
  readonly lots: Lot[] = [];
  readonly holds = new Map<string, Hold>();
  readonly payments = new Map<string, Payment>();
  readonly accounts = new Map<string, Account>();
  /** Credits that late facts left without a lot to come from. */
  uncovered = 0;
  balance = 0;
  /** What the present step moves, by lot. */
  moves = new Map<Lot, number>();
  readonly #open = new Set<Lot>();

  account(id: string): Account {
    let account = this.accounts.get(id);
    if (!account) {
      account = {
        id,
        isEnded: false,
        isTrialGranted: false,
        granted: null,
        grants: new Map(),
        caps: [],
      };
      this.accounts.set(id, account);
    }
    return account;
  }

  pay(key: string, total: number, taken: number): Payment {
    const payment: Payment = {
      key,
      total,
      taken,
      bought: 0,
      lots: [],
      absorbed: 0,
      claimed: 0,
      claimedLapsed: 0,
      shortfall: 0,
    };
    this.payments.set(key, payment);
    return payment;
  }

  move(lot: Lot, credits: number): void {
    lot.remaining += credits;
    this.balance += credits;
    this.moves.set(lot, (this.moves.get(lot) ?? 0) + credits);
  }

  open(
    lot: Pick<Lot, 'key' | 'kind' | 'subscription' | 'opened'>,
    credits: number,
    payment?: Payment,
  ): void {
    const opened: Lot = {
      ...lot,
      payment: payment?.key ?? null,
      granted: credits,
      remaining: 0,
      isExpired: false,
      lapsed: 0,
      cut: 0,
    };
    this.lots.push(opened);
    this.#open.add(opened);
    payment?.lots.push(opened);
    this.move(opened, credits);
  }

  /** → what expired */
  expire(isMeant: (lot: Lot) => boolean): number {
    const before = this.balance;
    for (const lot of this.#open) {
      if (!isMeant(lot)) continue;
      this.#open.delete(lot);
      lot.isExpired = true;
      lot.lapsed += lot.remaining;
      this.move(lot, -lot.remaining);
    }
    return before - this.balance;
  }

  /** A subscription's lots that have not expired, oldest first. */
  planLots({ id }: Account): Lot[] {
    return [...this.#open].filter((lot) => lot.subscription === id);
  }

  /** What has not expired, as it is taken: the oldest lot of a kind first, and last what others paid for. */
  *#inOrder(order: keyof typeof orders): Generator<Lot> {
    for (const kind of orders[order])
      for (const lot of this.#open) if (lot.kind === kind && !isOutside(lot)) yield lot;
    for (const lot of this.#open) if (isOutside(lot)) yield lot;
  }

  /** Takes up to so many credits. */
  take(credits: number, order: keyof typeof orders): Take[] {
    const takes: Take[] = [];
    let missing = credits;
    for (const lot of this.#inOrder(order)) {
      const taken = Math.min(lot.remaining, missing);
      if (taken === 0) continue;
      missing -= taken;
      this.move(lot, -taken);
      takes.push({ lot, credits: taken });
    }
    return takes;
  }

  hold(key: string, credits: number, isUsage: boolean): Hold {
    const takes = isUsage ? [] : this.take(credits, 'spending');
    const uncovered = isUsage ? 0 : credits - sum(takes.map((take) => take.credits));
    const hold = { credits, takes, uncovered, isUsage };
    this.uncovered += uncovered;
    this.holds.set(key, hold);
    return hold;
  }

  /** Ends a hold: what was uncovered comes back first, then what was taken last. */
  release(key: string, credits: number): Hold | undefined {
    const hold = this.holds.get(key);
    if (!hold) return undefined;
    const relieved = Math.min(hold.uncovered, credits);
    this.uncovered -= relieved;
    let left = credits - relieved;
    for (const { lot, credits: taken } of hold.takes.toReversed()) {
      const back = Math.min(taken, left);
      left -= back;
      this.#giveBack(lot, back, key);
    }
    this.holds.delete(key);
    return hold;
  }

  /** What comes back pays the shortfall of its payment first; an expired lot and a cap keep nothing. */
  #giveBack(lot: Lot, credits: number, hold: string): void {
    const payment = lot.payment === null ? undefined : this.payments.get(lot.payment);
    const paid = Math.min(payment?.shortfall ?? 0, credits);
    if (payment) payment.shortfall -= paid;
    const left = credits - paid;
    if (lot.isExpired) {
      lot.lapsed += left;
      return;
    }
    const all = lot.subscription === null ? [] : this.account(lot.subscription).caps;
    const caps = all.filter(({ holds }) => holds.has(hold));
    const kept = Math.min(left, ...caps.map(({ room }) => room));
    for (const cap of caps) cap.room -= kept;
    lot.cut += left - kept;
    this.move(lot, kept);
  }

  /** Cuts a subscription's lots to so many credits, the newest first. → what was cut */
  cap(account: Account, credits: number): number {
    const lowest = account.caps.at(-1);
    if (lowest && lowest.credits <= credits) return 0;
    const lots = this.planLots(account);
    const left = sum(lots.map((lot) => lot.remaining));
    let missing = Math.max(0, left - credits);
    const cut = missing;
    for (const lot of lots.toReversed()) {
      const taken = Math.min(lot.remaining, missing);
      missing -= taken;
      lot.cut += taken;
      this.move(lot, -taken);
    }
    account.caps.push({ credits, room: credits - (left - cut), holds: new Set(this.holds.keys()) });
    return cut;
  }

  /** Raises caps to so many credits: what they cut comes back, to the oldest lot first. → how much */
  uncap(account: Account, credits: number): number {
    const lowest = account.caps.at(-1);
    if (!lowest || lowest.credits >= credits) return 0;
    let missing = credits - lowest.credits;
    let restored = 0;
    for (const lot of this.planLots(account)) {
      const back = Math.min(lot.cut, missing);
      lot.cut -= back;
      missing -= back;
      restored += back;
      this.move(lot, back);
    }
    account.caps = account.caps.filter((cap) => cap.credits >= credits);
    account.caps.push({ ...lowest, credits, room: lowest.room + missing });
    return restored;
  }

  /**
   * Takes back what a payment bought, in proportion to its money: of what it has not granted (a yearly
   * plan's coming months), then what is left of its lots, what of them is gone anyway, and what was
   * spent, as shortfall.
   */
  clawBack(payment: Payment): ClawedBack {
    const { lots } = payment;
    let missing = Math.max(0, claimOf(payment) - payment.claimed);
    payment.claimed += missing;
    const part = (available: number): number => {
      const taken = Math.min(available, missing);
      missing -= taken;
      return taken;
    };
    const ungranted = payment.bought - sum(lots.map((lot) => lot.granted)) - payment.absorbed;
    const absorbed = part(ungranted);
    payment.absorbed += absorbed;
    let taken = 0;
    for (const lot of lots) {
      const credits = part(lot.remaining);
      taken += credits;
      this.move(lot, -credits);
    }
    const lapsed = part(sum(lots.map((lot) => lot.lapsed)) - payment.claimedLapsed);
    payment.claimedLapsed += lapsed;
    let cut = 0;
    for (const lot of lots) {
      const credits = part(lot.cut);
      lot.cut -= credits;
      cut += credits;
    }
    payment.shortfall += missing;
    return { absorbed, taken, lapsed: lapsed + cut, shortfall: missing };
  }
}
