import { isWithin, listOf } from '../core/list.ts';
import { metadata, moments, page, str } from '../core/params.ts';
import { route, type Route } from '../core/route.ts';
import { mergeMetadata } from './metadata.ts';

const listRules = { ...page, created: moments, customer: str };

/** Payment intents and charges. Source: https://docs.stripe.com/api/payment_intents, /charges */
export const paymentRoutes: Route[] = [
  route('GET', '/v1/payment_intents/:intent', {}, ({ world, id }) =>
    world.store.need('payment_intent', id),
  ),
  route('GET', '/v1/payment_intents', listRules, ({ world, params }) =>
    listOf(
      world.store
        .all('payment_intent')
        .filter(
          (one) =>
            (params.customer === undefined || one.customer === params.customer) &&
            isWithin(one.created, params.created),
        ),
      params,
      '/v1/payment_intents',
    ),
  ),
  route('POST', '/v1/charges/:charge', { metadata }, ({ world, id, params }) =>
    world.change('charge.updated', world.store.need('charge', id), (one) => {
      one.metadata = mergeMetadata(one.metadata, params.metadata);
    }),
  ),
  route('GET', '/v1/charges/:charge', {}, ({ world, id }) => world.store.need('charge', id)),
  route('GET', '/v1/charges', { ...listRules, payment_intent: str }, ({ world, params }) =>
    listOf(
      world.store
        .all('charge')
        .filter(
          (one) =>
            (params.customer === undefined || one.customer === params.customer) &&
            (params.payment_intent === undefined || one.payment_intent === params.payment_intent) &&
            isWithin(one.created, params.created),
        ),
      params,
      '/v1/charges',
    ),
  ),
];
