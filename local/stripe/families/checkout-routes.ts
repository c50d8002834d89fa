import { invalid } from '../core/problem.ts';
import { isWithin, listInOrder, listOf } from '../core/list.ts';
import { hash, metadata, moments, need, oneOf, page, str } from '../core/params.ts';
import { route, type Route } from '../core/route.ts';
import { createSession } from './checkout.ts';
import { sessionRules } from './checkout-params.ts';
import { expireSession, linesOf } from './checkout-pay.ts';
import { mergeMetadata } from './metadata.ts';

const listRules = {
  ...page,
  created: moments,
  customer: str,
  customer_details: hash({ email: need(str) }),
  payment_intent: str,
  status: oneOf('complete', 'expired', 'open'),
  subscription: str,
};

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
  route('GET', '/v1/checkout/sessions/:session', {}, ({ world, id }) =>
    world.store.need('checkout.session', id),
  ),
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
  route('GET', '/v1/checkout/sessions', listRules, ({ world, params }) =>
    listOf(
      world.store
        .all('checkout.session')
        .filter(
          (one) =>
            (params.customer === undefined || one.customer === params.customer) &&
            (params.customer_details === undefined ||
              one.customer_details?.['email'] === params.customer_details.email) &&
            (params.payment_intent === undefined || one.payment_intent === params.payment_intent) &&
            (params.status === undefined || one.status === params.status) &&
            (params.subscription === undefined || one.subscription === params.subscription) &&
            isWithin(one.created, params.created),
        ),
      params,
      '/v1/checkout/sessions',
    ),
  ),
];
