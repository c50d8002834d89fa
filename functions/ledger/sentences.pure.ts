import type { Fact, PackFact, PlanFact, ReversalFact, StateFact } from './facts.pure.ts';
import type { Did, Step } from './fold.pure.ts';

const number = (count: number): string => {
  const digits = String(Math.abs(count)).replace(/\B(?=(\d{3})+$)/g, ',');
  return `${count < 0 ? '-' : ''}${digits}`;
};

export const some = (count: number, what = 'credit'): string =>
  `${number(count)} ${what}${Math.abs(count) === 1 ? '' : 's'}`;

const day = (seconds: number): string => new Date(seconds * 1000).toISOString().slice(0, 10);

/** What people wrote, in one line. */
const quoted = (text: string): string => `"${text.replace(/\s+/g, ' ')}"`;

/** The end of a sentence: what else happened, if it did. */
const and = (...parts: (string | false)[]): string =>
  `${parts.filter((part) => part !== false).join('; ')}.`;

const expired = (credits: number): string | false =>
  credits > 0 && `${some(credits, 'unused credit')} expired`;

const causes = { create: 'First paid invoice of', cycle: 'Renewal of', update: 'Change to' };

/** Whoever only chose the account. */
const payerOf = ({ customer }: PlanFact | PackFact): string =>
  customer == null
    ? 'paid by a guest who chose this account'
    : `paid by the Stripe customer ${customer}, who chose this account`;

function sayPack(fact: PackFact): string {
  const { quantity, pack, credits, isChosen } = fact;
  const sold = `Purchase of ${quantity} × pack ${pack}`;
  return `${sold}${isChosen ? `, ${payerOf(fact)}` : ''}: ${some(credits)} added.`;
}

function sayPlan(fact: PlanFact, did: Did): string {
  const { invoice, terms, quantity, reason, periodEnd } = fact;
  const plan = `plan ${terms.plan}${quantity === 1 ? '' : ` × ${quantity}`}`;
  const period = `for the period ending ${day(periodEnd)}`;
  const bought = `${causes[reason]} ${plan} ${period}: `;
  switch (did.rule) {
    case 'reset':
      return did.credits === null
        ? bought + and('unlimited', expired(did.expired))
        : bought + and(`plan credits set to ${number(did.credits)}`, expired(did.expired));
    case 'left_unlimited':
      return `${bought}it leaves an unlimited plan, ${and(`plan credits set to ${number(did.credits)}`, expired(did.expired))}`;
    case 'trial':
      return `Trial of ${plan} until ${day(periodEnd)}: ${some(did.credits, 'plan credit')} added.`;
    case 'trial_extended':
      return `Invoice ${invoice} extends the trial of ${plan} until ${day(periodEnd)}: nothing changed.`;
    case 'period_over':
      return `Invoice ${invoice} of ${plan} ${period} was paid after that: no credits.`;
    case 'superseded':
      return `Invoice ${invoice} of ${plan} ${period} is older than the newest that is paid: nothing changed.`;
    case 'outside':
      return `${bought}${payerOf(fact)}, ${some(did.credits)} added and nothing else changed.`;
    case 'cap':
      return bought + sayCap(did);
    default:
      return `${bought}nothing changed.`;
  }
}

function sayCap({ cut, restored, added }: Extract<Did, { rule: 'cap' }>): string {
  if (cut + restored + added === 0) return 'no new period, nothing changed.';
  return and(
    'no new period',
    added > 0 && `${some(added, 'plan credit')} added for the greater quantity`,
    restored > 0 && `${some(restored, 'plan credit')} came back that an earlier change had cut`,
    cut > 0 && `plan credits cut by ${number(cut)}`,
  );
}

function sayState(fact: StateFact, did: Did): string {
  const { subscription, status, phase, terms, quantity, cancelAt, periodEnd } = fact;
  const plan = terms
    ? `plan ${terms.plan}${quantity === 1 ? '' : ` × ${quantity}`}`
    : 'no plan of ours';
  if (did.rule === 'noted')
    return `Subscription ${subscription} of somebody who chose this account is ${status} on ${plan}: nothing changed.`;
  if (phase === 'deleted') return `Subscription ${subscription} of ${plan} ended.`;
  const end = cancelAt !== null && cancelAt <= (periodEnd ?? 0) && `it ends on ${day(cancelAt)}`;
  const said = `Subscription ${subscription} is ${status} on ${plan}`;
  if (did.rule === 'cap' && did.cut > 0)
    return and(said, `less than was granted, so plan credits were cut by ${number(did.cut)}`, end);
  if (did.rule === 'left_unlimited')
    return and(said, `it leaves an unlimited plan, plan credits set to ${number(did.credits)}`);
  return and(said, end);
}

const reversals = {
  refund: { what: 'Refund', undone: 'failed' },
  charge: { what: 'Refund of charge', undone: 'failed' },
  dispute: { what: 'Dispute', undone: 'was won or withdrawn' },
  credit_note: { what: 'Credit note', undone: 'was voided' },
};

/** Money as Stripe counts it: a fact does not know the currency. */
function sayReversal(fact: ReversalFact, did: Did): string {
  const { what, undone } = reversals[fact.source];
  const named = `${what} ${fact.reversal} over ${number(fact.amount)} (minor units)`;
  if (!fact.taken) return `${named} ${undone}: it is as if it never was.`;
  const claim = `${named} of ${fact.payment}: `;
  if (did.rule !== 'clawed_back') return `${claim}it waits for that payment.`;
  const { taken, absorbed, lapsed, shortfall } = did;
  return (
    claim +
    and(
      `${some(taken)} taken back`,
      absorbed > 0 && `${some(absorbed)} of coming months will not come`,
      lapsed > 0 && `${number(lapsed)} more had expired`,
      shortfall > 0 && `${number(shortfall)} more had been spent (shortfall)`,
    )
  );
}

const uncovered = (credits: number): string | false =>
  credits > 0 && `${number(credits)} of them were not there (shortfall)`;

function sayHold(job: string, did: Did): string {
  if (did.rule !== 'held') return `Job ${job} started.`;
  if (did.isUsage) return `Job ${job} started on an unlimited plan: nothing held.`;
  return `Job ${job} started: ${and(`${some(did.credits)} held`, uncovered(did.uncovered))}`;
}

function sayRelease(fact: Extract<Fact, { kind: 'release' }>, { did, moves }: Step): string {
  const ended = `Job ${fact.job} ended`;
  if (did.rule !== 'released') return `${ended}.`;
  if (did.isUsage)
    return `${ended} on an unlimited plan: ${some(fact.rows, 'row')}, nothing charged.`;
  const back = moves.reduce((sum, { credits }) => sum + credits, 0);
  const gone = did.credits - back;
  return `${ended}: ${and(
    `${some(back)} given back, ${number(did.charged)} charged`,
    gone > 0 && `${some(gone)} more went to what had expired, been cut or was owed`,
  )}`;
}

function sayCorrection(credits: number, reason: string, did: Did): string {
  if (credits >= 0) return `An operator added ${some(credits, 'bonus credit')}: ${quoted(reason)}.`;
  const missing = did.rule === 'corrected' && uncovered(did.uncovered);
  return `An operator took back ${some(-credits)}: ${and(quoted(reason), missing)}`;
}

/** A month of a yearly plan has no fact: it falls due. */
function sayMonth({ atUs, did }: Step): string {
  if (did.rule !== 'month') return 'A month of a yearly plan fell due: nothing granted.';
  const set = and(`plan credits set to ${number(did.credits)}`, expired(did.expired));
  return `Month from ${day(atUs / 1e6)} of plan ${did.plan}, paid by the year: ${set}`;
}

/** One plain sentence on what a step of the fold did, and why. */
export function sayStep(step: Step): string {
  const { fact, did } = step;
  if (!fact) return sayMonth(step);
  switch (fact.kind) {
    case 'customer':
      return `Stripe customer ${fact.customer} pays for this account.`;
    case 'signup':
      return `Sign-up: ${some(fact.credits, 'bonus credit')} added.`;
    case 'allowance':
      return did.rule === 'granted'
        ? `Free month: bonus credits set to ${number(did.credits)}.`
        : 'Free month: there was a plan, so nothing was granted.';
    case 'state':
      return sayState(fact, did);
    case 'invoice':
      return fact.state === 'open'
        ? `Invoice ${fact.invoice} could not be paid.`
        : `Invoice ${fact.invoice} will not be paid any more.`;
    case 'plan':
      return sayPlan(fact, did);
    case 'pack':
      return sayPack(fact);
    case 'reversal':
      return sayReversal(fact, did);
    case 'adjustment':
      return sayCorrection(fact.credits, fact.reason, did);
    case 'suspension':
      return fact.action === 'suspend'
        ? `An operator suspended the account: ${quoted(fact.reason)}.`
        : `An operator lifted the suspension: ${quoted(fact.reason)}.`;
    case 'hold':
      return sayHold(fact.job, did);
    case 'release':
      return sayRelease(fact, step);
  }
}

/** The Stripe ids by which an operator finds a step's cause in Stripe's dashboard. */
export function objectIdsOf({ fact, key }: Step): string[] {
  const ofPayment = (payment: string): string => payment.slice(payment.indexOf(':') + 1);
  if (!fact) return key.split(':').slice(1, 3);
  switch (fact.kind) {
    case 'customer':
      return [fact.customer];
    case 'state':
      return [fact.subscription];
    case 'invoice':
    case 'plan':
      return [fact.invoice, fact.subscription];
    case 'pack':
      return [fact.session];
    case 'reversal':
      return [fact.reversal, ofPayment(fact.payment)];
    default:
      return [];
  }
}
