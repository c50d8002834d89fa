import type { InvoiceLine } from '../core/types.ts';

/** What a line bills before discounts and tax; an inclusive price holds its tax already. */
type TotalLine = { amount: number; isDiscountable: boolean; isInclusive: boolean };
export type TotalDiscount = { id: string; percentOff: number | null; amountOff: number | null };
/** A flat rate in percent, with the ids of its tax rates. */
export type Tax = { percent: number; inclusive: string; exclusive: string };
export type Totals = ReturnType<typeof totalsOf>;
type TaxShape = NonNullable<InvoiceLine['taxes']>[number];

const sum = (numbers: number[]): number => numbers.reduce((all, one) => all + one, 0);

/** Splits `whole` in proportion to `parts`; the shares add up to it exactly. */
function spread(whole: number, parts: number[]): number[] {
  const all = sum(parts);
  let [seen, given] = [0, 0];
  return parts.map((part) => {
    seen += part;
    const upToHere = all === 0 ? 0 : Math.round((whole * seen) / all);
    const share = upToHere - given;
    given = upToHere;
    return share;
  });
}

const taxIn = (amount: number, isInclusive: boolean, percent: number): number =>
  Math.round((amount * percent) / (isInclusive ? 100 + percent : 100)) || 0;

const taxShape = (tax: Tax, isInclusive: boolean, amount: number, taxable: number): TaxShape => ({
  amount,
  tax_behavior: isInclusive ? 'inclusive' : 'exclusive',
  tax_rate_details: { tax_rate: isInclusive ? tax.inclusive : tax.exclusive },
  taxability_reason: tax.percent === 0 ? 'not_collecting' : 'standard_rated',
  taxable_amount: taxable,
  type: 'tax_rate_details',
});

/**
 * What lines come to: each discount is taken from what those before it left, in proportion over the
 * lines that can be discounted, and tax is computed line by line on what remains.
 * Source: https://docs.stripe.com/billing/subscriptions/coupons, https://docs.stripe.com/tax/products-prices-tax-codes-tax-behavior
 */
export function totalsOf(lines: TotalLine[], discounts: TotalDiscount[], tax: Tax | null) {
  let left = lines.map((line) => (line.isDiscountable ? Math.max(0, line.amount) : 0));
  const cuts = discounts.map(({ id, percentOff, amountOff }) => {
    const base = sum(left);
    const whole =
      percentOff === null ? Math.min(base, amountOff ?? 0) : Math.round((base * percentOff) / 100);
    const shares = spread(whole, left);
    left = left.map((part, index) => part - (shares[index] ?? 0));
    return { amount: whole, discount: id, shares };
  });
  const priced = lines.map(({ amount, isInclusive }, index) => {
    const discountAmounts = cuts.map(({ discount, shares }) => ({
      amount: shares[index] ?? 0,
      discount,
    }));
    const discounted = sum(discountAmounts.map((one) => one.amount));
    const net = amount - discounted;
    const taxed = tax ? taxIn(net, isInclusive, tax.percent) : 0;
    const taxable = isInclusive ? net - taxed : net;
    return {
      discountAmounts,
      discounted,
      isInclusive,
      subtotal: amount,
      taxable,
      taxed,
      taxes: tax ? [taxShape(tax, isInclusive, taxed, taxable)] : [],
      total: isInclusive ? net : net + taxed,
    };
  });
  const totalTax = sum(priced.map(({ taxed }) => taxed));
  const subtotal = sum(lines.map(({ amount }) => amount));
  const total = sum(priced.map((line) => line.total));
  const within = lines.filter(({ isInclusive }) => isInclusive);
  return {
    discountAmounts: cuts.map(({ amount, discount }) => ({ amount, discount })),
    discounted: sum(cuts.map(({ amount }) => amount)),
    lines: priced,
    subtotal,
    subtotalExcludingTax:
      subtotal - sum(within.map(({ amount }) => (tax ? taxIn(amount, true, tax.percent) : 0))),
    taxed: totalTax,
    taxes: tax ? taxesByBehavior(tax, priced) : [],
    total,
    totalExcludingTax: total - totalTax,
  };
}

/** One entry for the inclusive lines, one for the exclusive ones. */
const taxesByBehavior = (
  tax: Tax,
  priced: { isInclusive: boolean; taxed: number; taxable: number }[],
): TaxShape[] =>
  [true, false].flatMap((isInclusive) => {
    const own = priced.filter((line) => line.isInclusive === isInclusive);
    if (own.length === 0) return [];
    const [taxed, taxable] = [own.map((line) => line.taxed), own.map((line) => line.taxable)];
    return [taxShape(tax, isInclusive, sum(taxed), sum(taxable))];
  });

/** Discounts in the form in which they stand among pretax credits. */
export const pretaxCredits = (amounts: { amount: number; discount: string }[]) =>
  amounts.map((one) => ({ ...one, type: 'discount' as const }));
