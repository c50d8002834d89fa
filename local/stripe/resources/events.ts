import { isWithin, listOf } from '../core/list.ts';
import { bool, list, moments, page, str } from '../core/params.ts';
import { invalid, missing } from '../core/problem.ts';
import { route, type Route } from '../core/route.ts';
import type { StripeEvent } from '../core/types.ts';
import type { World } from '../core/world.ts';

/** Events can be read back for thirty days. */
const keptSeconds = 30 * 86_400;

/** Those of other accounts, of live mode and thin ones are not in this list. */
const isReadable = (world: World, event: StripeEvent): boolean =>
  event.object === 'event' &&
  event['account'] === undefined &&
  event['livemode'] !== true &&
  event.created > world.clock.now() - keptSeconds;

const matches = (type: string, wanted: string): boolean =>
  wanted.endsWith('*') ? type.startsWith(wanted.slice(0, -1)) : type === wanted;

/** Events, newest first. Source: https://docs.stripe.com/api/events */
export const eventRoutes: Route[] = [
  route('GET', '/v1/events/:event', {}, ({ world, id }) => {
    const event = world.store.need('event', id);
    if (!isReadable(world, event)) throw missing('event', id);
    return event;
  }),
  route(
    'GET',
    '/v1/events',
    { ...page, created: moments, delivery_success: bool, type: str, types: list(str, 20) },
    ({ world, params }) => {
      if (params.type !== undefined && params.types !== undefined)
        throw invalid('You may only specify one of these parameters: type, types.');
      const wanted = params.types ?? (params.type === undefined ? undefined : [params.type]);
      return listOf(
        world.store
          .all('event')
          .filter(
            (event) =>
              isReadable(world, event) &&
              (wanted === undefined || wanted.some((type) => matches(event.type, type))) &&
              (params.delivery_success === undefined ||
                (event.pending_webhooks === 0) === params.delivery_success) &&
              isWithin(event.created, params.created),
          ),
        params,
        '/v1/events',
      );
    },
  ),
];
