import type { PlanTerms } from './facts.pure.ts';

/** Where a subscription stands: its newest state, and its newest paid invoice by period start. */
export type Standing = {
  subscription: string;
  status: string;
  /** The plan of its items; null: none of ours. */
  terms: PlanTerms | null;
  /** The plan of its newest paid invoice; null: none was paid. */
  paid: PlanTerms | null;
  /** That invoice's money went back, all of it. */
  takenBack: boolean;
  /** Of the oldest open invoice, microseconds since 1970; null: none failed. */
  failingSinceUs: number | null;
  graceDays: number;
};

const dayUs = 86_400_000_000;

/** What makes a plan more or less than another; the interval is `month` or `year`. */
export type PlanSize = Pick<PlanTerms, 'credits' | 'grantsMonthly'> & { interval: string | null };

/** Credits a month: the measure of a plan. */
export const monthly = (terms: PlanSize): number => {
  if (terms.credits === null) return Infinity;
  return terms.interval === 'year' && !terms.grantsMonthly ? terms.credits / 12 : terms.credits;
};

/** Whether `a` is the better plan: more credits a month; equal: the longer interval. */
export const isBetter = (a: PlanSize, b: PlanSize): boolean =>
  monthly(a) === monthly(b)
    ? a.interval === 'year' && b.interval !== 'year'
    : monthly(a) > monthly(b);

export const lesser = (a: PlanTerms, b: PlanTerms): PlanTerms => (isBetter(a, b) ? b : a);

/** What one subscription entitles to at a moment. */
export function entitledBy(standing: Standing, nowUs: number): PlanTerms | null {
  const { status, terms, paid, takenBack, failingSinceUs, graceDays } = standing;
  if (status === 'trialing') return paid && terms && !takenBack ? lesser(paid, terms) : terms;
  const lives =
    status === 'active' ||
    (status === 'past_due' &&
      (failingSinceUs === null || nowUs < failingSinceUs + graceDays * dayUs));
  if (!lives || !paid || takenBack || !terms) return null;
  return lesser(terms, paid);
}

/** The best plan that a user's subscriptions entitle to at a moment; null: none. */
export function entitled(standings: Iterable<Standing>, nowUs: number): PlanTerms | null {
  let best: PlanTerms | null = null;
  for (const standing of standings) {
    const plan = entitledBy(standing, nowUs);
    if (plan && (!best || isBetter(plan, best))) best = plan;
  }
  return best;
}
