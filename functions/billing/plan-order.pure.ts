/** What makes a plan more or less than another. */
export type PlanTerms = {
  /** Credits a grant; null: unlimited. */
  credits: number | null;
  interval: string | null;
  /** A yearly plan whose credits come anew every month. */
  grantsMonthly: boolean;
};

const monthsOf = ({ interval }: PlanTerms): number => (interval === 'year' ? 12 : 1);

/** Credits a month; unlimited counts as the most. */
const monthlyCredits = (plan: PlanTerms): number => {
  if (plan.credits === null) return Infinity;
  return plan.grantsMonthly ? plan.credits : plan.credits / monthsOf(plan);
};

/** More credits a month, or as many over a longer interval; from a plan that nobody knows: any. */
export function isUpgrade(from: PlanTerms | undefined, to: PlanTerms): boolean {
  if (!from) return true;
  const [before, after] = [monthlyCredits(from), monthlyCredits(to)];
  return before === after ? monthsOf(to) > monthsOf(from) : after > before;
}
