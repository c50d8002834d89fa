import * as z from 'zod';
import type { Ctx } from '../context.ts';
import type { Knowledge } from './reading.pure.ts';

export const catalogueAnswer = z.strictObject({
  version: z.int(),
  prices: z.array(
    z.strictObject({
      priceId: z.string(),
      kind: z.enum(['plan', 'pack']),
      key: z.string(),
      credits: z.int().nullable(),
      trialCredits: z.int(),
      interval: z.enum(['month', 'year']).nullable(),
      grantsMonthly: z.boolean(),
      amountCents: z.int(),
      currency: z.string(),
      productId: z.string(),
      onSale: z.boolean(),
    }),
  ),
});
export type Catalogue = z.infer<typeof catalogueAnswer>;

/** By database: an isolate reads it once, and again when a write says that it has changed. */
const known = new WeakMap<Ctx['db'], Catalogue>();

export async function readCatalogue(ctx: Ctx): Promise<Catalogue> {
  const remembered = known.get(ctx.db);
  if (remembered) return remembered;
  const catalogue = await ctx.db.call('catalogue_read', {}, catalogueAnswer);
  known.set(ctx.db, catalogue);
  return catalogue;
}

export const rememberCatalogue = (ctx: Ctx, catalogue: Catalogue): void => {
  known.set(ctx.db, catalogue);
};

/** Stripe's keys say which mode they are of: `sk_live_…`, `rk_test_…`. */
function livemodeOf(key: string): boolean | null {
  const mode = /^[sr]k_(live|test)_/.exec(key)?.[1];
  return mode === undefined ? null : mode === 'live';
}

/** What policies know at this moment. */
export const knowledgeOf = (ctx: Ctx, { prices }: Catalogue): Knowledge => ({
  prices: new Map(prices.map((price) => [price.priceId, price])),
  mode: ctx.config.creditRenewal,
  graceDays: ctx.config.pastDueGraceDays,
  decidedAtMs: ctx.now().getTime(),
  livemode: livemodeOf(ctx.config.stripe.secretKey),
});
