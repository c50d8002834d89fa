import type Stripe from 'stripe';
import { describe, expect, it } from 'vitest';
import { totalsOf } from '../../local/stripe/resources/invoice-totals.ts';
import { DAY, failure, latest, shop, shopForEachTest, stripe } from './stripe-client.ts';

shopForEachTest();

const sum = (numbers: number[]) => numbers.reduce((all, one) => all + one, 0);

/** Every line and the whole come to the same sums. */
function addsUp(invoice: Stripe.Invoice): void {
  const lines = invoice.lines.data;
  const discounts = (entries: { amount: number }[] | null) =>
    sum((entries ?? []).map((d) => d.amount));
  const taxes = (entries: { amount: number; tax_behavior: string }[] | null, isAll = false) =>
    sum((entries ?? []).map((t) => (isAll || t.tax_behavior === 'exclusive' ? t.amount : 0)));
  const { total, subtotal, total_discount_amounts: off, total_taxes: tax } = invoice;
  expect(sum(lines.map(({ amount }) => amount))).toBe(subtotal);
  expect(sum(lines.map((line) => discounts(line.discount_amounts)))).toBe(discounts(off));
  expect(sum(lines.map((line) => taxes(line.taxes, true)))).toBe(taxes(tax, true));
  expect(total).toBe(subtotal - discounts(off) + taxes(tax));
  expect(invoice.total_excluding_tax).toBe(total - taxes(tax, true));
  const applied = (invoice.ending_balance ?? 0) - invoice.starting_balance;
  if (invoice.status !== 'draft') expect(invoice.amount_due).toBe(total - applied);
}

describe('totals', () => {
  const line = (amount: number, extra: object = {}) => ({
    amount,
    isDiscountable: true,
    isInclusive: false,
    ...extra,
  });

  it('share a discount over the lines to the last cent, never over prorations', () => {
    const lines = [line(1000), line(1000), line(1000), line(-500, { isDiscountable: false })];
    const totals = totalsOf(lines, [{ amountOff: 1000, id: 'di_1', percentOff: null }], null);
    expect(totals.lines.map(({ discounted }) => discounted)).toEqual([333, 334, 333, 0]);
    expect(totals).toMatchObject({ discounted: 1000, subtotal: 2500, total: 1500 });
  });

  it('take each discount from what the one before it left, and never below nothing', () => {
    const half = { amountOff: null, id: 'di_1', percentOff: 50 };
    const much = { amountOff: 900, id: 'di_2', percentOff: null };
    const totals = totalsOf([line(1000)], [half, much], null);
    expect(totals.discountAmounts.map(({ amount }) => amount)).toEqual([500, 500]);
    expect(totals.total).toBe(0);
  });

  it('add tax to exclusive prices and find it in inclusive ones', () => {
    const tax = { exclusive: 'txr_1', inclusive: 'txr_2', percent: 19 };
    const totals = totalsOf([line(1000), line(1190, { isInclusive: true })], [], tax);
    expect(totals.taxes.map(({ amount, taxable_amount }) => [amount, taxable_amount])).toEqual([
      [190, 1000],
      [190, 1000],
    ]);
    expect(totals).toMatchObject({ subtotal: 2190, total: 2380, totalExcludingTax: 2000 });
    expect(totals.subtotalExcludingTax).toBe(2000);
  });
});

describe('a zero-decimal currency', () => {
  it('is counted and shown whole', async () => {
    const yen = await stripe.prices.create({
      currency: 'jpy',
      product: shop.product.id,
      recurring: { interval: 'month' },
      unit_amount: 2000,
    });
    const session = await shop.checkout(yen.id);
    expect(await (await fetch(session.url ?? '')).text()).toContain('¥2,000');
    await shop.press(session.url, { action: 'pay' });
    const { invoice } = await stripe.checkout.sessions.retrieve(session.id);
    const paid = await stripe.invoices.retrieve(invoice as string);
    expect(paid).toMatchObject({ amount_paid: 2000, currency: 'jpy' });
    expect(paid.lines.data[0]?.description).toContain('¥2,000');
  });
});

describe('a coupon', () => {
  it('once makes one invoice cheaper and leaves', async () => {
    const coupon = await stripe.coupons.create({ duration: 'once', percent_off: 25 });
    let session: Stripe.Checkout.Session | undefined;
    let subscription: Stripe.Subscription | undefined;
    const types = await shop.told(async () => {
      const paid = await shop.subscribe(shop.prices.starter.id, {
        discounts: [{ coupon: coupon.id }],
      });
      ({ session, subscription } = paid);
    });
    expect(types).toContain('customer.discount.created');
    expect(types).toContain('customer.discount.deleted');
    expect(session).toMatchObject({
      amount_subtotal: 2000,
      amount_total: 1500,
      payment_status: 'paid',
      total_details: { amount_discount: 500, amount_tax: 0 },
    });
    const { data: items } = await stripe.checkout.sessions.listLineItems(session?.id ?? '');
    expect(items).toMatchObject([
      { amount_discount: 500, amount_subtotal: 2000, amount_total: 1500 },
    ]);
    const id = subscription?.id ?? '';
    expect(await latest(id)).toMatchObject({ amount_paid: 1500, subtotal: 2000, total: 1500 });
    addsUp(await latest(id));
    expect(subscription?.discounts).toEqual([]);
    const [updated] = (
      await stripe.events.list({ type: 'customer.subscription.updated', limit: 2 })
    ).data.toReversed();
    expect(updated?.data.previous_attributes).toMatchObject({
      discounts: [expect.stringMatching(/^di_/)],
    });
    await shop.local(`/renew/${id}`, {});
    expect((await latest(id)).total).toBe(2000);
    expect(await stripe.coupons.retrieve(coupon.id)).toMatchObject({
      times_redeemed: 1,
      valid: true,
    });
  });

  it('repeating ends after its months, forever never', async () => {
    const [three, forever] = [
      await stripe.coupons.create({
        duration: 'repeating',
        duration_in_months: 3,
        percent_off: 50,
      }),
      await stripe.coupons.create({ amount_off: 300, currency: 'usd', duration: 'forever' }),
    ];
    const totals: number[][] = [];
    for (const { id: coupon } of [three, forever]) {
      const { subscription } = await shop.subscribe(shop.prices.starter.id, {
        discounts: [{ coupon }],
      });
      await shop.advance(125 * DAY);
      const { data } = await stripe.invoices.list({ subscription: subscription.id });
      for (const invoice of data) addsUp(invoice);
      totals.push(data.map(({ total }) => total).toReversed());
    }
    expect(totals).toEqual([
      [1000, 1000, 1000, 2000, 2000],
      [1700, 1700, 1700, 1700, 1700],
    ]);
  });

  it('of 100 % needs no payment, of a plan or of a pack', async () => {
    const { id: coupon } = await stripe.coupons.create({ duration: 'forever', percent_off: 100 });
    const { session, subscription } = await shop.subscribe(shop.prices.starter.id, {
      discounts: [{ coupon }],
      payment_method_collection: 'if_required',
    });
    expect(session).toMatchObject({ amount_total: 0, payment_status: 'no_payment_required' });
    expect(await latest(subscription.id)).toMatchObject({
      amount_due: 0,
      status: 'paid',
      total: 0,
    });
    const full = await stripe.subscriptions.retrieve(subscription.id, {
      expand: ['discounts.source.coupon'],
    });
    expect(full.discounts[0]).toMatchObject({
      source: { coupon: { percent_off: 100 } },
      subscription: subscription.id,
    });
    const pack = await shop.checkout(shop.prices.pack.id, {
      discounts: [{ coupon }],
      mode: 'payment',
    });
    const types = await shop.told(() => shop.press(pack.url, { action: 'pay' }));
    expect(types).toEqual(['customer.created', 'checkout.session.completed']);
    expect(await stripe.checkout.sessions.retrieve(pack.id)).toMatchObject({
      payment_intent: null,
      payment_status: 'no_payment_required',
    });
  });

  it('that is used up, over, of another currency or deleted is refused', async () => {
    const use = (coupon: string) =>
      shop.checkout(shop.prices.starter.id, { discounts: [{ coupon }] });
    const once = await stripe.coupons.create({ max_redemptions: 1, percent_off: 10 });
    await shop.subscribe(shop.prices.starter.id, { discounts: [{ coupon: once.id }] });
    expect((await failure(use(once.id))).message).toContain('is used up');
    expect((await stripe.coupons.retrieve(once.id)).valid).toBe(false);
    const soon = shop.standIn.now() + DAY;
    const over = await stripe.coupons.create({ percent_off: 10, redeem_by: soon });
    await shop.advance(2 * DAY);
    expect(await failure(use(over.id))).toMatchObject({ code: 'coupon_expired' });
    const euro = await stripe.coupons.create({ amount_off: 5, currency: 'eur' });
    expect((await failure(use(euro.id))).message).toContain('not in usd');
    await stripe.coupons.del(euro.id);
    expect(await failure(use(euro.id))).toMatchObject({ code: 'resource_missing' });
    expect((await stripe.coupons.list()).data).toHaveLength(2);
  });

  it.each([
    [{}, 'exactly one'],
    [{ amount_off: 5, percent_off: 5 }, 'exactly one'],
    [{ amount_off: 5 }, 'currency'],
    [{ percent_off: 101 }, 'at most 100'],
    [{ duration: 'repeating', percent_off: 5 }, 'duration_in_months'],
    [{ applies_to: { products: ['prod_1'] }, percent_off: 5 }, 'unknown parameter: applies_to'],
  ] as const)('made of %j is refused', async (params, message) => {
    const error = await failure(stripe.coupons.create(params as Stripe.CouponCreateParams));
    expect(error.message).toContain(message);
  });
});

describe('a promotion code', () => {
  const code = async (extra: Partial<Stripe.PromotionCodeCreateParams> = {}) => {
    const coupon = await stripe.coupons.create({
      amount_off: 200,
      currency: 'usd',
      duration: 'forever',
    });
    return stripe.promotionCodes.create({
      code: 'FALL20',
      promotion: { coupon: coupon.id, type: 'coupon' },
      ...extra,
    });
  };

  it('is typed on the page, whatever its case, where the page takes one', async () => {
    const { id } = await code();
    const closed = await shop.checkout(shop.prices.starter.id);
    expect(await shop.press(closed.url, { action: 'pay', promotion_code: 'fall20' })).toMatchObject(
      { code: 400 },
    );
    const open = await shop.checkout(shop.prices.starter.id, { allow_promotion_codes: true });
    expect(await shop.press(open.url, { action: 'pay', promotion_code: 'NONE' })).toMatchObject({
      code: 400,
    });
    await shop.press(open.url, { action: 'pay', promotion_code: 'fall20' });
    const done = await stripe.checkout.sessions.retrieve(open.id, {
      expand: ['subscription', 'discounts.promotion_code'],
    });
    expect(done).toMatchObject({
      amount_total: 1800,
      discounts: [{ promotion_code: { id, times_redeemed: 1 } }],
    });
    const { discounts } = done.subscription as Stripe.Subscription;
    expect(discounts).toHaveLength(1);
    expect(await failure(code())).toMatchObject({ param: 'code' });
    await stripe.promotionCodes.update(id, { active: false });
    expect((await stripe.promotionCodes.list({ active: true, code: 'FALL20' })).data).toEqual([]);
    const both = { allow_promotion_codes: true, discounts: [{ promotion_code: id }] };
    const error = await failure(shop.checkout(shop.prices.starter.id, both));
    expect(error.message).toBe(
      'You may only specify one of these parameters: allow_promotion_codes, discounts.',
    );
  });

  it('keeps its restrictions', async () => {
    const { id: first } = await code({ restrictions: { first_time_transaction: true } });
    const { customer } = await shop.subscribe(shop.prices.starter.id);
    const again = { customer, discounts: [{ promotion_code: first }] };
    expect((await failure(shop.checkout(shop.prices.starter.id, again))).message).toContain(
      'prior transactions',
    );
    const least = { minimum_amount: 3000, minimum_amount_currency: 'usd' };
    const { id: big } = await code({ code: 'BIG', restrictions: least });
    const buy = (price: string) => shop.checkout(price, { discounts: [{ promotion_code: big }] });
    expect((await failure(buy(shop.prices.starter.id))).message).toContain('$30.00');
    expect((await buy(shop.prices.pro.id)).amount_total).toBe(4800);
    const { id: own } = await code({ code: 'OWN', customer });
    const stranger = { discounts: [{ promotion_code: own }] };
    expect(await failure(shop.checkout(shop.prices.starter.id, stranger))).toMatchObject({
      statusCode: 400,
    });
  });
});

describe('tax', () => {
  const taxed = { automatic_tax: { enabled: true } };

  it('comes on top once the place is known, on the session, its lines and every invoice', async () => {
    await shop.local('/tax', { percent: 19 });
    const open = await shop.checkout(shop.prices.starter.id, taxed);
    expect(open).toMatchObject({
      amount_total: 2000,
      automatic_tax: { status: 'requires_location_inputs' },
    });
    const { id: coupon } = await stripe.coupons.create({ duration: 'forever', percent_off: 50 });
    const { session, subscription, customer } = await shop.subscribe(shop.prices.starter.id, {
      ...taxed,
      discounts: [{ coupon }],
    });
    expect(session).toMatchObject({
      amount_subtotal: 2000,
      amount_total: 1190,
      automatic_tax: { enabled: true, status: 'complete' },
      total_details: { amount_discount: 1000, amount_tax: 190 },
    });
    expect(subscription.automatic_tax.enabled).toBe(true);
    await shop.local(`/renew/${subscription.id}`, {});
    const { data } = await stripe.invoices.list({ subscription: subscription.id });
    for (const invoice of data) {
      addsUp(invoice);
      expect(invoice).toMatchObject({ amount_paid: 1190, automatic_tax: { status: 'complete' } });
    }
    const rate = data[0]?.total_taxes?.[0]?.tax_rate_details?.tax_rate ?? '';
    expect(await stripe.taxRates.retrieve(rate)).toMatchObject({
      inclusive: false,
      percentage: 19,
    });
    expect(((await stripe.customers.retrieve(customer)) as Stripe.Customer).address?.country).toBe(
      'US',
    );
  });

  it('is inside a price that says so, and leaves what asked for none alone', async () => {
    await shop.local('/tax', { percent: 20 });
    const price = await stripe.prices.create({
      currency: 'usd',
      product: shop.product.id,
      recurring: { interval: 'month' },
      tax_behavior: 'inclusive',
      unit_amount: 1200,
    });
    const { subscription } = await shop.subscribe(price.id, taxed);
    const invoice = await latest(subscription.id);
    expect(invoice).toMatchObject({
      subtotal_excluding_tax: 1000,
      total: 1200,
      total_excluding_tax: 1000,
    });
    addsUp(invoice);
    const plain = await shop.subscribe(shop.prices.starter.id);
    expect(await latest(plain.subscription.id)).toMatchObject({ total: 2000, total_taxes: [] });
    const error = await failure(stripe.prices.update(price.id, { tax_behavior: 'exclusive' }));
    expect(error.param).toBe('tax_behavior');
  });

  it('of a known customer needs an address, or leave to save one', async () => {
    const { id: customer } = await stripe.customers.create({ email: 'a@example.com', name: 'Old' });
    const ask = (extra: Partial<Stripe.Checkout.SessionCreateParams>) =>
      shop.checkout(shop.prices.starter.id, { customer, ...extra });
    expect(await failure(ask(taxed))).toMatchObject({ code: 'customer_tax_location_invalid' });
    const ids = { tax_id_collection: { enabled: true } };
    expect((await failure(ask(ids))).message).toContain('set `customer_update[name]` to `auto`');
    const saving = await ask({
      ...taxed,
      ...ids,
      customer_update: { address: 'auto', name: 'auto' },
    });
    expect(saving.tax_id_collection).toEqual({ enabled: true, required: 'never' });
    await shop.press(saving.url, { action: 'pay', name: 'New' });
    expect(await stripe.customers.retrieve(customer)).toMatchObject({
      address: { country: 'US' },
      name: 'New',
    });
    expect((await ask(taxed)).automatic_tax.status).toBe('complete');
  });
});

describe("a customer's balance", () => {
  const kinds = async (customer: string) =>
    (await stripe.customers.listBalanceTransactions(customer)).data
      .map(({ type, amount, ending_balance }) => [type, amount, ending_balance])
      .toReversed();

  it('pays a part; the rest is charged, and a voided invoice gives it back', async () => {
    const { subscription, customer } = await shop.subscribe(shop.prices.starter.id);
    await stripe.customers.update(customer, { balance: -500 });
    await stripe.customers.createBalanceTransaction(customer, { amount: -1000, currency: 'usd' });
    await shop.local(`/customers/${customer}`, { card: 'decline' });
    await shop.local(`/renew/${subscription.id}`, {});
    const open = await latest(subscription.id);
    expect(open).toMatchObject({
      amount_due: 500,
      ending_balance: 0,
      starting_balance: -1500,
      total: 2000,
    });
    addsUp(open);
    const [told] = (await stripe.events.list({ type: 'customer.updated', limit: 1 })).data;
    expect(told?.data.previous_attributes).toEqual({ balance: -1500 });
    await stripe.invoices.voidInvoice(open.id);
    expect(await stripe.customers.retrieve(customer)).toMatchObject({ balance: -1500 });
    expect(await kinds(customer)).toEqual([
      ['adjustment', -500, -500],
      ['adjustment', -1000, -1500],
      ['applied_to_invoice', 1500, 0],
      ['unapplied_from_invoice', -1500, -1500],
    ]);
  });

  it('is owed too, and belongs to one currency', async () => {
    const made = await stripe.customers.create({ balance: 700 });
    expect(await kinds(made.id)).toEqual([['initial', 700, 700]]);
    const euro = stripe.customers.createBalanceTransaction(made.id, { amount: 5, currency: 'eur' });
    expect(await failure(euro)).toMatchObject({ param: 'currency' });
    const session = await shop.checkout(shop.prices.starter.id, { customer: made.id });
    await shop.press(session.url, { action: 'pay' });
    const { subscription } = await stripe.checkout.sessions.retrieve(session.id);
    expect(await latest(subscription as string)).toMatchObject({ amount_paid: 2700, total: 2000 });
  });
});
