import { random } from '../core/ids.ts';
import { hash, int, metadata, moments, str, strOrUnset } from '../core/params.ts';
import { missing } from '../core/problem.ts';
import { reads } from '../core/reads.ts';
import { route, type Route } from '../core/route.ts';
import type { Customer, Meta } from '../core/types.ts';
import type { World } from '../core/world.ts';
import { given, mergeMetadata } from './metadata.ts';
import { endSubscription } from './subscription-end.ts';

const address = hash({
  city: strOrUnset,
  country: strOrUnset,
  line1: strOrUnset,
  line2: strOrUnset,
  postal_code: strOrUnset,
  state: strOrUnset,
});

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
  metadata?: Meta | null | undefined;
};

/** Makes a customer and tells of it. */
export function createCustomer(world: World, fields: NewCustomer): Customer {
  const { metadata: meta, ...rest } = fields;
  const customer = world.store.add('customer', world.clock.now(), {
    ...(given(rest) as Partial<Customer>),
    metadata: mergeMetadata({}, meta),
    invoice_prefix: random(8).toUpperCase(),
  });
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
  const { metadata: meta, ...fields } = params;
  return world.change('customer.updated', customer, (one) => {
    Object.assign(one, given(fields));
    one.metadata = mergeMetadata(one.metadata, meta);
  });
});

/** Deleting a customer ends its subscriptions at once. */
const remove = route('DELETE', '/v1/customers/:customer', {}, ({ world, id }) => {
  const customer = needCustomer(world, id);
  for (const subscription of world.store.all('subscription'))
    if (subscription.customer === id && subscription.ended_at === null)
      endSubscription(world, subscription, 'cancellation_requested');
  world.emit('customer.deleted', customer);
  return world.store.replace('customer', id, { id, object: 'customer', deleted: true });
});

/** Customers. Source: https://docs.stripe.com/api/customers */
export const customerRoutes: Route[] = [
  route('POST', '/v1/customers', rules, ({ world, params }) => createCustomer(world, params)),
  update,
  remove,
  ...reads('customer', '/v1/customers', { created: moments, email: str }),
];
