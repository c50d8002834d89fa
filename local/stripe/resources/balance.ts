import { daySeconds } from '../core/clock.ts';
import { moments, str } from '../core/params.ts';
import { reads } from '../core/reads.ts';
import type { Route } from '../core/route.ts';
import type { BalanceTransaction } from '../core/types.ts';
import type { World } from '../core/world.ts';

/** Days until a charge's money can be paid out. */
const settlementDays = 2;

type NewEntry = Pick<BalanceTransaction, 'amount' | 'currency' | 'description' | 'type'> & {
  category: string;
  source: string;
  fee?: number;
};

/**
 * An entry on the account's balance, at the clock's time; negative amounts are available at once.
 * Source: https://docs.stripe.com/reports/balance-transaction-types
 */
export function addBalanceEntry(world: World, entry: NewEntry): BalanceTransaction {
  const { category, fee = 0, ...fields } = entry;
  const now = world.clock.now();
  const description = category === 'dispute' ? 'Dispute fee' : 'Stripe processing fees';
  const detail = { amount: fee, currency: entry.currency, description };
  const isLater = entry.type === 'charge' || entry.type === 'payment';
  return world.store.add('balance_transaction', now, {
    ...fields,
    available_on: isLater ? now + settlementDays * daySeconds : now,
    fee,
    fee_details: fee === 0 ? [] : [{ ...detail, application: null, type: 'stripe_fee' }],
    net: entry.amount - fee,
    reporting_category: category,
    status: isLater ? 'pending' : 'available',
  });
}

/** Makes available what the clock has reached. */
export function releaseBalance(world: World): void {
  const now = world.clock.now();
  for (const entry of world.store.all('balance_transaction'))
    if (entry.status === 'pending' && entry.available_on <= now) entry.status = 'available';
}

/** Balance transactions. Source: https://docs.stripe.com/api/balance_transactions */
export const balanceRoutes: Route[] = reads('balance_transaction', '/v1/balance_transactions', {
  created: moments,
  currency: str,
  source: str,
  type: str,
});
