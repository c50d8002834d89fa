import { metadata, moments, str } from '../core/params.ts';
import { reads } from '../core/reads.ts';
import { route, type Route } from '../core/route.ts';
import { mergeMetadata } from './metadata.ts';

const filters = { created: moments, customer: str };

/** Payment intents and charges. Source: https://docs.stripe.com/api/payment_intents, /charges */
export const paymentRoutes: Route[] = [
  ...reads('payment_intent', '/v1/payment_intents', filters),
  route('POST', '/v1/charges/:charge', { metadata }, ({ world, id, params }) =>
    world.change('charge.updated', world.store.need('charge', id), (one) => {
      one.metadata = mergeMetadata(one.metadata, params.metadata);
    }),
  ),
  ...reads('charge', '/v1/charges', { ...filters, payment_intent: str }),
];
