import { isDeepStrictEqual } from 'node:util';
import type Stripe from 'stripe';

const sum = (amounts: number[]): number => amounts.reduce((all, one) => all + one, 0);
/** Objects of a told story are planted: nobody answers for their sums. */
export const isPlayed = ({ id }: { id: string }) => !id.includes('Told');

/** Everything of the account, oldest first, without what was told of from outside. */
export async function readBooks(stripe: Stripe) {
  const all = async <T extends { id: string }>(list: Stripe.ApiListPromise<T>) => {
    const found: T[] = [];
    for await (const one of list) if (isPlayed(one)) found.push(one);
    return found.toReversed();
  };
  const page = { limit: 100 };
  const customers = await all(stripe.customers.list(page));
  const credits = customers.map(({ id }) =>
    all(stripe.customers.listBalanceTransactions(id, page)),
  );
  const invoices = await all(stripe.invoices.list(page));
  const lines = invoices.map(({ id }) => all(stripe.invoices.listLineItems(id, page)));
  return {
    customers,
    credits: (await Promise.all(credits)).flat(),
    invoices,
    lines: (await Promise.all(lines)).flat(),
    payments: await all(stripe.invoicePayments.list(page)),
    intents: await all(stripe.paymentIntents.list(page)),
    charges: await all(stripe.charges.list(page)),
    refunds: await all(stripe.refunds.list(page)),
    disputes: await all(stripe.disputes.list(page)),
    entries: await all(stripe.balanceTransactions.list(page)),
    subscriptions: await all(stripe.subscriptions.list({ ...page, status: 'all' })),
    schedules: await all(stripe.subscriptionSchedules.list(page)),
  };
}
type Books = Awaited<ReturnType<typeof readBooks>>;
type Check = (books: Books, now: number) => (string | false)[];

const discountOf = (one: Stripe.InvoiceLineItem): number =>
  sum((one.discount_amounts ?? []).map(({ amount }) => amount));

const invoices: Check = ({ invoices: all, lines, payments, intents, charges }, now) =>
  all.flatMap((one) => {
    const own = lines.filter(({ invoice }) => invoice === one.id);
    const discounts = sum((one.total_discount_amounts ?? []).map(({ amount }) => amount));
    const taxes = (one.total_taxes ?? []).filter((tax) => tax.tax_behavior === 'exclusive');
    const due = one.total + one.starting_balance;
    const paid = payments.filter((each) => each.invoice === one.id && each.status === 'paid');
    const intent = intents.find(({ id }) => id === paid[0]?.payment.payment_intent);
    const charge = charges.find(({ id }) => id === intent?.latest_charge);
    const { finalized_at: opened, paid_at: paidAt, voided_at: voided } = one.status_transitions;
    const isSquare = [paid.length, paid[0]?.amount_paid, intent?.amount_received, charge?.amount];
    const isPaid = one.status === 'paid';
    const isByHand =
      isPaid &&
      paid.length === 0 &&
      payments.some((each) => each.invoice === one.id && each.status === 'canceled');
    const times = [one.created, opened, paidAt ?? voided, now].filter((at) => at !== null);
    return [
      sum(own.map(({ amount }) => amount)) !== one.subtotal && 'subtotal',
      sum(own.map(discountOf)) !== discounts && 'discounts',
      one.subtotal - discounts + sum(taxes.map(({ amount }) => amount)) !== one.total && 'total',
      one.total - sum((one.total_taxes ?? []).map(({ amount }) => amount)) !==
        one.total_excluding_tax && 'net total',
      one.amount_due !== Math.max(0, due) && 'amount_due',
      one.status !== 'draft' && one.ending_balance !== Math.min(0, due) && 'ending_balance',
      one.amount_paid !== (isPaid ? one.amount_due : 0) && 'amount_paid',
      one.amount_paid + one.amount_remaining !== one.amount_due && 'amount_remaining',
      isPaid &&
        one.amount_due > 0 &&
        !isByHand &&
        !isDeepStrictEqual(isSquare, [1, one.amount_due, one.amount_due, one.amount_due]) &&
        `paid by ${isSquare.join()}`,
      isPaid && charge?.status === 'failed' && 'paid by a failed charge',
      !isPaid && paid.length > 0 && 'payment of an unpaid invoice',
      times.some((at, n) => at < (times[n - 1] ?? 0)) && `times ${times.join()}`,
      (paidAt !== null) !== isPaid && 'paid_at',
      !isPaid &&
        one.status !== 'void' &&
        payments.some((each) => each.invoice === one.id && each.status === 'canceled') &&
        'canceled payment',
    ].map((what) => what && `${one.id} (${one.status}): ${what}`);
  });

const customers: Check = ({ customers: all, credits }) =>
  all.map((one) => {
    const own = credits.filter(({ customer }) => customer === one.id);
    const chain = own.map(
      ({ amount, ending_balance: end }, n) => end - amount === (own[n - 1]?.ending_balance ?? 0),
    );
    const isRight =
      sum(own.map(({ amount }) => amount)) === one.balance &&
      (own.at(-1)?.ending_balance ?? 0) === one.balance;
    return (!isRight || chain.includes(false)) && `${one.id}: balance ${one.balance}`;
  });

const charges: Check = ({ charges: all, refunds, entries, intents }) =>
  all.flatMap((one) => {
    const given = refunds.filter(
      ({ charge, status }) =>
        charge === one.id && ['pending', 'requires_action', 'succeeded'].includes(status ?? ''),
    );
    const back = sum(given.map(({ amount }) => amount));
    const booked = entries.filter(({ source }) => source === one.id);
    const intent = intents.find(({ id }) => id === one.payment_intent);
    return [
      back > one.amount && 'refunded more than charged',
      back !== one.amount_refunded && 'amount_refunded',
      one.refunded !== (back === one.amount) && 'refunded',
      booked.length !== (one.status === 'succeeded' ? 1 : 0) && 'balance transactions',
      one.status === 'succeeded' && booked[0]?.amount !== one.amount && 'balance transaction',
      one.status === 'succeeded' &&
        isPlayed({ id: JSON.stringify(one.payment_intent) }) &&
        (intent?.status !== 'succeeded' || intent.latest_charge !== one.id) &&
        `intent is ${intent?.status}`,
    ].map((what) => what && `${one.id}: ${what}`);
  });

const reversals: Check = ({ refunds, disputes, entries, charges: all }) => {
  const booked = (id: string) => entries.filter(({ source }) => source === id);
  const wanted = [
    ...refunds.map((one) => ({
      one,
      left: ['failed', 'canceled'].includes(one.status ?? '') ? 0 : -one.amount,
    })),
    ...disputes.map((one) => ({
      one,
      left: ['needs_response', 'under_review', 'lost'].includes(one.status) ? -one.amount : 0,
    })),
  ];
  return [
    ...wanted.map(
      ({ one, left }) =>
        sum(booked(one.id).map(({ amount }) => amount)) !== left &&
        `${one.id} (${one.status}): balance transactions`,
    ),
    ...all.map((one) => {
      const taken = sum(
        disputes
          .filter(
            (each) =>
              each.charge === one.id &&
              ['needs_response', 'under_review', 'lost'].includes(each.status),
          )
          .map(({ amount }) => amount),
      );
      return taken > one.amount && `${one.id}: disputed beyond its amount`;
    }),
    ...entries.map((one) => one.net !== one.amount - one.fee && `${one.id}: net`),
  ];
};

const itemOf = ({ parent }: Stripe.InvoiceLineItem) => parent?.subscription_item_details;

const creditedBy = (line: Stripe.InvoiceLineItem): string[] =>
  itemOf(line)?.proration_details?.credited_items?.invoice_line_items ?? [];

/**
 * In flexible mode nobody is credited more than was debited, whether it was paid, or voided later.
 * Source: https://docs.stripe.com/billing/subscriptions/prorations
 */
const credits: Check = ({ invoices: all, lines, subscriptions }) => {
  const isVoid = (id: string | null) => all.find((one) => one.id === id)?.status === 'void';
  const valid = lines.filter(({ invoice }) => !isVoid(invoice));
  const credited = new Set(valid.flatMap(creditedBy));
  const billed = lines.filter((line) => valid.includes(line) || credited.has(line.id));
  return subscriptions
    .filter(({ billing_mode: { type, updated_at } }) => type === 'flexible' && !updated_at)
    .flatMap(({ id }) => {
      const own = billed.filter((line) => itemOf(line)?.subscription === id);
      const net = sum(own.map((line) => line.amount - discountOf(line)));
      const debits = own
        .filter(({ amount }) => amount > 0)
        .map((debit) => {
          const back = own.filter((line) => creditedBy(line).includes(debit.id));
          return (
            -sum(back.map(({ amount }) => amount)) > debit.amount - discountOf(debit) &&
            `${debit.id}: credited beyond its debit`
          );
        });
      return [net < 0 && `${id}: money from nothing, ${net}`, ...debits];
    });
};

const subscriptions: Check = ({ subscriptions: all, invoices: bills }, now) =>
  all.flatMap((one) => {
    const periods = new Set(
      one.items.data.map((item) => `${item.current_period_start}-${item.current_period_end}`),
    );
    const [item] = one.items.data;
    const { current_period_start: start = 0, current_period_end: end = 0 } = item ?? {};
    const isOver = ['canceled', 'incomplete_expired'].includes(one.status);
    return [
      periods.size !== 1 && 'periods differ',
      end - start > 366 * 86_400 && 'period is too long',
      start >= end && 'period is empty',
      !isOver && !['paused', 'incomplete'].includes(one.status) && end < now && 'period is over',
      (one.ended_at !== null) !== isOver && 'ended_at',
      one.status === 'trialing' && (one.trial_end ?? 0) < now && 'trial is over',
      isOver && one.pending_update !== null && 'pending update',
      !bills.some(({ id }) => id === one.latest_invoice) && 'latest invoice',
    ].map((what) => what && `${one.id} (${one.status}): ${what}`);
  });

const schedules: Check = ({ schedules: all, subscriptions: owners }) =>
  all.map((one) => {
    const owner = owners.find(({ schedule }) => schedule === one.id);
    const isActive = one.status === 'active';
    if (isActive)
      return (
        isPlayed({ id: JSON.stringify(one.subscription) }) &&
        (owner?.id !== one.subscription || one.current_phase === null) &&
        `${one.id}: belongs to ${owner?.id}`
      );
    return one.current_phase !== null && `${one.id} (${one.status}): in a phase`;
  });

/** What an accountant objects to in the account as it is now. */
export const auditBooks = (books: Books, now: number): string[] =>
  [invoices, customers, charges, reversals, credits, subscriptions, schedules]
    .flatMap((check) => check(books, now))
    .filter((one) => one !== false);
