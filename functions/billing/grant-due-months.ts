import type { Ctx } from '../deps.ts';

const perRun = 200;

/** Annual plans that grant monthly: grants the months that have begun. Gives how many. */
export const grantDueMonths = (ctx: Ctx): Promise<number> =>
  ctx.db.call('grant_due_months', {
    p_now: ctx.now().toISOString(),
    p_limit: perRun,
    p_options: { creditRenewal: ctx.config.creditRenewal },
  });
