import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createCheckout, type CheckoutInput } from '../../functions/billing/create-checkout.ts';
import { readStanding } from '../../functions/ledger/standing.ts';
import { assertBooksHold } from '../support/ledger-invariants.ts';
import { BillingShop, refusal } from './billing-shop.ts';

let plain: BillingShop;
let shop: BillingShop;
beforeAll(async () => {
  [plain, shop] = await Promise.all([
    BillingShop.open(),
    BillingShop.open({
      STRIPE_AUTOMATIC_TAX: 'true',
      STRIPE_TAX_ID_COLLECTION: 'true',
      STRIPE_PROMOTION_CODES: 'true',
    }),
  ]);
  await shop.local('/tax', { percent: 20 });
  for (const [code, percent_off] of [
    ['FREE', 100],
    ['HALF', 50],
  ] as const) {
    const coupon = await shop.stripe.coupons.create({ percent_off, duration: 'once' });
    await shop.stripe.promotionCodes.create({
      code,
      promotion: { type: 'coupon', coupon: coupon.id },
    });
  }
});
afterAll(async () => {
  for (const each of [plain, shop]) {
    await assertBooksHold(each.database.pool);
    await each.close();
  }
});

const kinds: [string, CheckoutInput['item'], 'plan' | 'purchased', number][] = [
  ['a plan', { plan: 'starter' }, 'plan', 1000],
  ['packs', { pack: 'small', quantity: 3 }, 'purchased', 1500],
];

async function buy(item: CheckoutInput['item'], code?: string) {
  const userId = await shop.signUp();
  const { id, url } = await createCheckout(shop.ctx, { userId, item });
  await shop.pay(url, code === undefined ? {} : { promotion_code: code });
  await shop.deliver();
  const session = await shop.stripe.checkout.sessions.retrieve(id);
  return { userId, session };
}
const credits = async (userId: string) => {
  const { rows } = await shop.database.pool.query<{ plan: number; purchased: number }>(
    'select credits_plan::int as plan, credits_purchased::int as purchased from users where id = $1',
    [userId],
  );
  return rows[0];
};

describe.each(kinds)('checkout of %s', (_, item, kind, worth) => {
  test('asks for nothing more where nothing is set', async () => {
    const userId = await plain.signUp();
    const { id } = await createCheckout(plain.ctx, { userId, item });
    const session = await plain.stripe.checkout.sessions.retrieve(id);
    expect(session.automatic_tax.enabled).toBe(false);
    expect(session.allow_promotion_codes ?? false).toBe(false);
    expect(session.tax_id_collection?.enabled ?? false).toBe(false);
  });

  test('puts tax on top, and grants what was bought', async () => {
    const { userId, session } = await buy(item);
    expect(session).toMatchObject({
      automatic_tax: { enabled: true, status: 'complete' },
      tax_id_collection: { enabled: true },
      allow_promotion_codes: true,
    });
    const { amount_subtotal: net, amount_total: gross } = session;
    expect(gross).toBe(((net ?? 0) * 120) / 100);
    expect(await credits(userId)).toMatchObject({ [kind]: worth });
  });

  test('grants all of it where a code brings the price to zero', async () => {
    const { userId, session } = await buy(item, 'free');
    expect(session.amount_total).toBe(0);
    expect(await credits(userId)).toMatchObject({ [kind]: worth });
    const { plan } = await readStanding(shop.ctx, userId);
    expect(plan?.plan ?? null).toBe(kind === 'plan' ? 'starter' : null);
  });

  test('takes back in proportion to what was paid, tax and discount and all', async () => {
    const { userId, session } = await buy(item, 'half');
    const paid = session.amount_total ?? 0;
    expect(paid).toBe(Math.round((((session.amount_subtotal ?? 0) / 2) * 120) / 100));
    const charges = await shop.stripe.charges.list({ customer: session.customer as string });
    const charge = charges.data[0]?.id ?? '';
    expect(charges.data[0]?.amount).toBe(paid);
    const amount = Math.floor(paid / 3);
    await shop.stripe.refunds.create({ charge, amount });
    await shop.deliver();
    expect(await credits(userId)).toMatchObject({
      [kind]: worth - Math.floor((worth * amount) / paid),
    });
    await shop.stripe.refunds.create({ charge, amount: paid - amount });
    await shop.deliver();
    expect(await credits(userId)).toMatchObject({ [kind]: 0 });
  });

  test('is a refusal in our words while Stripe Tax is not active', async () => {
    await shop.local('/tax/settings', { status: 'pending' });
    const userId = await shop.signUp();
    const { code } = await refusal(createCheckout(shop.ctx, { userId, item }));
    await shop.local('/tax/settings', { status: 'active' });
    expect(code).toBe('payment_provider_refused');
  });
});

test('the price is the same with another setting, and another page', async () => {
  const userId = await shop.signUp();
  const input = { userId, item: { plan: 'starter' } };
  const taxed = await createCheckout(shop.ctx, input);
  const untaxed = {
    ...shop.ctx,
    config: { ...shop.ctx.config, checkout: plain.ctx.config.checkout },
  };
  const page = await createCheckout(untaxed, input);
  expect(page.id).not.toBe(taxed.id);
  expect((await shop.stripe.checkout.sessions.retrieve(taxed.id)).status).toBe('expired');
});
