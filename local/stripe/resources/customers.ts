import { random } from '../core/ids.ts';
import templates from '../objects.json' with { type: 'json' };
import {
  currency as currencyCode,
  hashOf,
  int,
  metadata,
  moments,
  need,
  str,
  strOrUnset,
  type Rule,
} from '../core/params.ts';
import { invalid, missing } from '../core/problem.ts';
import { reads } from '../core/reads.ts';
import { route, type Route } from '../core/route.ts';
import type { Customer, CustomerBalanceTransaction, Meta } from '../core/types.ts';
import type { World } from '../core/world.ts';
import { moveBalance } from './customer-balance.ts';
import { given, mergeMetadata } from './metadata.ts';
import { endSubscription } from './subscription-end.ts';

/** An address without a part: every part is told, as null. */
export const noAddress: NonNullable<Customer['address']> = templates.charge.billing_details.address;
const addressParts = hashOf(Object.keys(noAddress), strOrUnset);
const address: Rule<Customer['address']> = {
  read: (raw, name) => (raw === '' ? null : { ...noAddress, ...addressParts.read(raw, name) }),
};

const rules = {
  address,
  balance: int,
  description: strOrUnset,
  email: strOrUnset,
  metadata,
  name: strOrUnset,
  phone: strOrUnset,
};

type NewCustomer = {
  email?: string | null | undefined;
  name?: string | null | undefined;
  address?: Customer['address'] | undefined;
  balance?: number | undefined;
  metadata?: Meta | null | undefined;
};

/** Makes a customer and tells of it. */
export function createCustomer(world: World, fields: NewCustomer): Customer {
  const { balance = 0, metadata: meta, ...rest } = fields;
  const customer = world.store.add('customer', world.clock.now(), {
    ...(given(rest) as Partial<Customer>),
    metadata: mergeMetadata({}, meta),
    invoice_prefix: random(8).toUpperCase(),
  });
  moveBalance(world, customer, { amount: balance, type: 'initial' });
  world.emit('customer.created', customer);
  return customer;
}

/** The customer; one that was deleted or never was is `resource_missing`. */
export function needCustomer(world: World, id: string, param?: string): Customer {
  const customer = world.store.need('customer', id, param);
  if ('deleted' in customer) throw missing('customer', id, param);
  return customer;
}

const update = route('POST', '/v1/customers/:customer', rules, ({ world, id, params }) => {
  const customer = needCustomer(world, id);
  const { balance = customer.balance, metadata: meta, ...fields } = params;
  return world.change('customer.updated', customer, (one) => {
    Object.assign(one, given(fields));
    one.metadata = mergeMetadata(one.metadata, meta);
    moveBalance(world, one, { amount: balance - one.balance, type: 'adjustment' });
  });
});

/** Deleting a customer ends its subscriptions at once. */
const remove = route('DELETE', '/v1/customers/:customer', {}, ({ world, id }) => {
  const customer = needCustomer(world, id);
  for (const subscription of world.store.of('subscription', 'customer', id))
    if (subscription.ended_at === null)
      endSubscription(world, subscription, 'cancellation_requested');
  world.emit('customer.deleted', customer);
  world.store.notes.cards[id] = 'none';
  return world.store.replace('customer', id, { id, object: 'customer', deleted: true });
});

const balancePath = '/v1/customers/:customer/balance_transactions';

/** Transactions of one customer's balance. Source: https://docs.stripe.com/api/customer_balance_transactions */
const balanceTransactionRoutes: Route[] = [
  route(
    'POST',
    balancePath,
    { amount: need(int), currency: need(currencyCode), description: str, metadata },
    ({ world, id, params }) => {
      const customer = needCustomer(world, id);
      const { currency } = params;
      if (params.amount === 0) throw invalid('The amount must not be zero.', 'amount');
      if (customer.currency !== null && customer.currency !== currency)
        throw invalid(`This customer's currency is ${customer.currency}.`, 'currency');
      const fields = { ...params, metadata: mergeMetadata({}, params.metadata) };
      let made: CustomerBalanceTransaction | undefined;
      world.change('customer.updated', customer, (one) => {
        made = moveBalance(world, one, { ...fields, type: 'adjustment' });
      });
      return made ?? {};
    },
  ),
  ...reads('customer_balance_transaction', balancePath, { created: moments, invoice: str }),
];

/** Customers. Source: https://docs.stripe.com/api/customers */
export const customerRoutes: Route[] = [
  route('POST', '/v1/customers', rules, ({ world, params }) => createCustomer(world, params)),
  update,
  remove,
  ...balanceTransactionRoutes,
  ...reads('customer', '/v1/customers', { created: moments, email: str }),
];
