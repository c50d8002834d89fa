import type { AnyCall } from '../../db/call.ts';
import { inTurn } from '../clients/stripe.ts';
import type { Ctx } from '../context.ts';

/** Of Stripe's 100 reads a second we take 80: the rest is for those who buy. */
const readsPerSecond = 80;
/** One invocation may make 1,000 requests of its own; what begins within this ends within that. */
const mostRequests = 700;

/** Requests of one call: Stripe's are paced, all are counted. */
export function inBudget(ctx: Ctx): { ctx: Ctx; isSpent: () => boolean } {
  let spent = 0;
  let freeAt = 0;
  const turn = async (): Promise<void> => {
    spent += 1;
    const now = Date.now();
    const at = Math.max(now, freeAt);
    freeAt = at + 1000 / readsPerSecond;
    if (at > now)
      await new Promise((resolve) => {
        setTimeout(resolve, at - now);
      });
  };
  const inner: AnyCall = ctx.db.call;
  const call: AnyCall = (name, args, answer) => {
    spent += 1;
    return inner(name, args, answer);
  };
  const db: Ctx['db'] = {
    ...ctx.db,
    call,
    rows: (text, params) => {
      spent += 1;
      return ctx.db.rows(text, params);
    },
  };
  const own = { ...ctx, db, stripe: inTurn(ctx.stripe, turn) };
  return { ctx: own, isSpent: () => spent >= mostRequests };
}
