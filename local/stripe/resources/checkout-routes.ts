import { invalid } from '../core/problem.ts';
import { listInOrder } from '../core/list.ts';
import { hash, metadata, moments, need, oneOf, page, str } from '../core/params.ts';
import { reads } from '../core/reads.ts';
import { route, type Route } from '../core/route.ts';
import { createSession } from './checkout.ts';
import { sessionRules } from './checkout-params.ts';
import { expireSession } from './checkout-pay.ts';
import { linesOf } from './checkout-totals.ts';
import { mergeMetadata } from './metadata.ts';

/** Checkout sessions. Source: https://docs.stripe.com/api/checkout/sessions */
export const checkoutRoutes: Route[] = [
  route('POST', '/v1/checkout/sessions', sessionRules, ({ world, params }) =>
    createSession(world, params),
  ),
  route('POST', '/v1/checkout/sessions/:session', { metadata }, ({ world, id, params }) => {
    const session = world.store.need('checkout.session', id);
    session.metadata = mergeMetadata(session.metadata, params.metadata);
    return session;
  }),
  route('POST', '/v1/checkout/sessions/:session/expire', {}, ({ world, id }) => {
    const session = world.store.need('checkout.session', id);
    if (session.status !== 'open')
      throw invalid(
        `Only Checkout Sessions with a status in ["open"] can be expired. This Checkout Session has a status of \`${session.status}\`.`,
      );
    return expireSession(world, session);
  }),
  route('GET', '/v1/checkout/sessions/:session/line_items', page, ({ world, id, params }) =>
    listInOrder(
      linesOf(world, world.store.need('checkout.session', id)),
      params,
      `/v1/checkout/sessions/${id}/line_items`,
    ),
  ),
  ...reads(
    'checkout.session',
    '/v1/checkout/sessions',
    {
      created: moments,
      customer: str,
      customer_details: hash({ email: need(str) }),
      payment_intent: str,
      status: oneOf('complete', 'expired', 'open'),
      subscription: str,
    },
    { customer_details: (one, { email }) => one.customer_details?.email === email },
  ),
];
