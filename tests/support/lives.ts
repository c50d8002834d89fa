import fc from 'fast-check';
import type { Fact, PlanTerms } from '../../functions/ledger/facts.pure.ts';
import {
  adjustment,
  aSecond,
  dispute,
  hold,
  lost,
  pack,
  paid,
  paymentFailed,
  pro,
  prorated,
  refund,
  release,
  starter,
  state,
  undone,
  unlimited,
  yearly,
} from './facts.ts';

/** Users' lives for property tests: what follows one another in earnest, many jobs among it. */

/** How often each comes. */
const weights = {
  hold: 4,
  release: 3,
  pack: 2,
  subscribe: 1,
  renew: 2,
  upgrade: 1,
  downgrade: 1,
  quantity: 1,
  cancel: 1,
  refund: 1,
  dispute: 1,
  pastDue: 1,
  recover: 1,
  adjust: 1,
};
type Kind = keyof typeof weights;
const kinds = fc.oneof(
  ...Object.entries(weights).map(([kind, weight]) => ({
    weight,
    arbitrary: fc.constant(kind as Kind),
  })),
);
type Move = { kind: Kind; number: number; gap: number };

const plans = [starter, pro, unlimited, yearly] as const;
type Sub = { id: string; of: PlanTerms; since: number; quantity: number };
type Payment = { id: string; total: number };

const pick = <T>(from: readonly T[], number: number): T | undefined =>
  from.length === 0 ? undefined : from[number % from.length];

class Life {
  readonly facts: Fact[] = [];
  readonly #subs: Sub[] = [];
  readonly #payments: Payment[] = [];
  readonly #jobs: { id: string; credits: number }[] = [];
  readonly #mode: 'reset-all' | 'keep-purchased';
  #at = 0;
  #count = 0;

  constructor(mode: 'reset-all' | 'keep-purchased') {
    this.#mode = mode;
  }

  #state(sub: Sub, status: string): void {
    const { id: subscription, of, since, quantity } = sub;
    const key = `state:${subscription}:${(this.#count += 1)}`;
    const phase = status === 'canceled' ? 'deleted' : 'updated';
    this.facts.push(state(status, of, this.#at, { subscription, key, since, quantity, phase }));
  }

  #pay(sub: Sub, charge?: number): void {
    const { id: subscription, of, since, quantity } = sub;
    const id = `in_${(this.#count += 1)}`;
    const more = { subscription, quantity, mode: this.#mode };
    const fact =
      charge === undefined
        ? paid(id, of, this.#at, more)
        : prorated(id, of, this.#at, { since, charge, ...more });
    this.facts.push(fact);
    this.#payments.push({ id, total: fact.total });
  }

  #change(sub: Sub, number: number, isUp: boolean): void {
    sub.of = isUp ? (pick([pro, unlimited], number) ?? pro) : starter;
    if (isUp && number % 3 > 0) sub.since = this.#at;
    this.#state(sub, 'active');
    if (isUp) this.#pay(sub, number % 3 > 0 ? undefined : 3000);
  }

  #jobsMove({ kind, number }: Move): void {
    if (kind === 'hold') {
      const job = { id: String((this.#count += 1)), credits: 1 + (number % 900) };
      this.#jobs.push(job);
      this.facts.push(hold(job.id, job.credits, this.#at));
      return;
    }
    const job = pick(this.#jobs, number);
    if (!job) return;
    this.#jobs.splice(this.#jobs.indexOf(job), 1);
    this.facts.push(release(job.id, number % (job.credits + 1), this.#at));
  }

  #moneyMove({ kind, number }: Move): void {
    const id = `cs_${(this.#count += 1)}`;
    if (kind === 'pack') {
      this.facts.push(pack(id, this.#at));
      this.#payments.push({ id, total: 1000 });
      return;
    }
    if (kind === 'adjust') this.facts.push(adjustment(id, (number % 600) - 200, this.#at));
    const payment = pick(this.#payments, number);
    if (!payment || payment.total === 0 || kind === 'adjust') return;
    const amount = number % 2 ? payment.total : 1 + (number % payment.total);
    const make = kind === 'refund' ? refund : dispute;
    const back = make(id, payment.id, amount, this.#at);
    this.facts.push(back);
    if (number % 5 === 0) this.facts.push(undone(back));
    if (number % 5 === 1) this.facts.push(lost(back));
  }

  #planMove(sub: Sub, { kind, number }: Move): void {
    if (kind === 'pastDue') {
      this.#state(sub, 'past_due');
      const failed = { subscription: sub.id };
      return void this.facts.push(paymentFailed(`in_x${(this.#count += 1)}`, this.#at, failed));
    }
    if (kind === 'recover') return this.#state(sub, 'active');
    if (kind === 'upgrade' || kind === 'downgrade')
      return this.#change(sub, number, kind === 'upgrade');
    if (kind === 'cancel') {
      this.#subs.splice(this.#subs.indexOf(sub), 1);
      return this.#state(sub, 'canceled');
    }
    if (kind === 'quantity') {
      sub.quantity = 1 + (number % 3);
      this.#state(sub, 'active');
      return this.#pay(sub, number % 2 ? 900 : -400);
    }
    sub.since = this.#at;
    this.#state(sub, 'active');
    return this.#pay(sub);
  }

  move(move: Move): void {
    const { kind, number, gap } = move;
    this.#at += gap;
    if (kind === 'hold' || kind === 'release') return this.#jobsMove(move);
    if (['pack', 'refund', 'dispute', 'adjust'].includes(kind)) return this.#moneyMove(move);
    if (kind !== 'subscribe') {
      const sub = pick(this.#subs, number);
      return sub && this.#planMove(sub, move);
    }
    if (this.#subs.length > 1) return undefined;
    const of = pick(plans, number) ?? starter;
    const sub = { id: `sub_${(this.#count += 1)}`, of, since: this.#at, quantity: 1 };
    this.#subs.push(sub);
    this.#state(sub, 'active');
    return this.#pay(sub);
  }
}

/** A life in order; what happens together within one second stands as it was done. */
export const lives: fc.Arbitrary<Fact[]> = fc
  .record({
    mode: fc.constantFrom('reset-all', 'keep-purchased'),
    moves: fc.array(
      fc.record({
        kind: kinds,
        number: fc.nat(9999),
        gap: fc.constantFrom(0, aSecond, 1, 5, 5, 13),
      }),
      { minLength: 8, maxLength: 40 },
    ),
  })
  .map(({ mode, moves: made }) => {
    const life = new Life(mode);
    for (const move of made) life.move(move);
    return life.facts;
  });
