import type { Customer, CustomerBalanceTransaction, Invoice } from '../core/types.ts';
import type { World } from '../core/world.ts';

type Move = Partial<CustomerBalanceTransaction> & Pick<CustomerBalanceTransaction, 'amount'>;

/** Adds to a customer's balance (negative is credit) with the transaction that says why; zero is none. */
export function moveBalance(
  world: World,
  customer: Customer,
  move: Move,
): CustomerBalanceTransaction | undefined {
  if (move.amount === 0) return undefined;
  customer.currency ??= move.currency ?? 'usd';
  customer.balance += move.amount;
  return world.store.add('customer_balance_transaction', world.clock.now(), {
    ...move,
    currency: customer.currency,
    customer: customer.id,
    ending_balance: customer.balance,
  });
}

/**
 * Takes what the customer's balance covers of an invoice, adds what the customer owes, or keeps a
 * negative total as credit. Source: https://docs.stripe.com/billing/customer/balance
 */
export function applyBalance(world: World, invoice: Invoice): void {
  const customer = world.store.need('customer', invoice.customer);
  invoice.starting_balance = customer.balance;
  const due = invoice.total + customer.balance;
  invoice.amount_due = Math.max(0, due);
  invoice.amount_remaining = invoice.amount_due;
  invoice.ending_balance = Math.min(0, due);
  moveForInvoice(world, invoice, 'applied_to_invoice', 1);
}

/** Voiding gives back what was applied, credit and debit alike. Source: docs.stripe.com/changelog/2019-12-03 */
export const unapplyBalance = (world: World, invoice: Invoice): void =>
  moveForInvoice(world, invoice, 'unapplied_from_invoice', -1);

function moveForInvoice(
  world: World,
  invoice: Invoice,
  type: 'applied_to_invoice' | 'unapplied_from_invoice',
  sign: 1 | -1,
): void {
  const { currency, id, starting_balance: start, ending_balance: end } = invoice;
  const amount = sign * ((end ?? start) - start);
  const customer = world.store.need('customer', invoice.customer);
  // What is voided after its customer was deleted goes nowhere.
  if ('deleted' in customer) return;
  world.change('customer.updated', customer, (one) => {
    moveBalance(world, one, { amount, currency, invoice: id, type });
  });
}
