import { Hono } from 'hono';
import type { Faults } from '../support/faults.ts';
import type { Deliveries } from './core/deliveries.ts';
import { Problem } from './core/problem.ts';
import type { Card } from './core/store.ts';
import type { StripeEvent } from './core/types.ts';
import type { World } from './core/world.ts';
import { renewNow } from './resources/billing-cycle.ts';
import { storyRoutes } from './story-routes.ts';
import { localBody } from './local-body.ts';
import { playUntil } from './timeline.ts';

const cards = ['ok', 'decline', 'action', 'none'];

const moment = (seconds: number): string => new Date(seconds * 1000).toISOString();

const clockState = (world: World, played = 0) => ({
  now: world.clock.now(),
  iso: moment(world.clock.now()),
  played,
});

/** The moment to move to, or what is wrong with the request. */
function target(world: World, body: Record<string, unknown>): number | string {
  const { to, advance_seconds: by } = body;
  if (typeof to === 'number' && Number.isInteger(to) && by === undefined)
    return to < world.clock.now() ? 'the clock does not go back' : to;
  if (typeof by === 'number' && Number.isInteger(by) && by >= 0 && to === undefined)
    return world.clock.now() + by;
  return 'give either "advance_seconds" (a whole number) or "to" (unix seconds)';
}

/** An event with what became of its deliveries. */
const told = (deliveries: Deliveries, event: StripeEvent) => ({
  ...event,
  deliveries: deliveries.all
    .filter((one) => one.event === event.id)
    .map(({ endpoint, url, state, attempts, nextAt }) => ({
      endpoint,
      url,
      state,
      attempts,
      nextAt,
    })),
});

/** `/_local`: the clock, cards, events and deliveries of the stand-in. */
export function localRoutes(world: World, deliveries: Deliveries, faults: Faults): Hono {
  const app = new Hono();
  app.onError((error, c) => {
    if (error instanceof Problem) return c.json({ error: error.message }, error.status as 400);
    if (error instanceof SyntaxError) return c.json({ error: 'malformed JSON' }, 400);
    throw error;
  });
  return app
    .get('/state', (c) =>
      c.json({
        ...clockState(world),
        objects: world.store.counts(),
        deliveries: countStates(deliveries),
        paused: deliveries.paused,
      }),
    )
    .get('/clock', (c) => c.json(clockState(world)))
    .post('/clock', async (c) => {
      const to = target(world, await localBody(c));
      if (typeof to === 'string') return c.json({ error: to }, 422);
      return c.json(clockState(world, playUntil(world, to)));
    })
    .post('/customers/:customer', async (c) => {
      const customer = world.store.need('customer', c.req.param('customer'));
      const { card } = await localBody(c);
      if (typeof card !== 'string' || !cards.includes(card))
        return c.json({ error: `card must be one of ${cards.join(', ')}` }, 422);
      world.store.notes.cards[customer.id] = card as Card;
      return c.json({ id: customer.id, card });
    })
    .post('/dunning', async (c) => {
      const { afterRetries: after } = await localBody(c);
      if (after !== 'cancel' && after !== 'past_due' && after !== 'unpaid')
        return c.json({ error: 'afterRetries must be cancel, past_due or unpaid' }, 422);
      world.store.notes.afterRetries = after;
      return c.json({ afterRetries: after });
    })
    .post('/renew/:subscription', (c) => {
      const id = c.req.param('subscription');
      const subscription = world.store.need('subscription', id);
      if (subscription.ended_at !== null)
        return c.json({ error: `subscription is ${subscription.status}` }, 422);
      return c.json({ subscription, invoice: renewNow(world, subscription) ?? null });
    })
    .get('/events', (c) => {
      const type = c.req.query('type');
      const events = world.store.all('event').filter((one) => !type || one.type === type);
      return c.json({ events: events.map((event) => told(deliveries, event)) });
    })
    .post('/events/:event/redeliver', (c) => {
      const event = world.store.need('event', c.req.param('event'));
      return c.json({ event: event.id, deliveries: deliveries.redeliver(event) });
    })
    .post('/redeliver-all', (c) => {
      const events = world.store.all('event');
      const count = events.reduce((sum, event) => sum + deliveries.redeliver(event), 0);
      return c.json({ events: events.length, deliveries: count });
    })
    .post('/deliveries', async (c) => {
      const { paused } = await localBody(c);
      if (typeof paused !== 'boolean') return c.json({ error: 'paused must be a boolean' }, 422);
      deliveries.pause(paused);
      return c.json({ paused });
    })
    .post('/drain', async (c) => {
      await deliveries.drain(Number(c.req.query('timeout_ms') ?? 10_000));
      return c.json({ drained: true });
    })
    .route('/', storyRoutes(world))
    .route('/', faults.routes())
    .all('*', (c) => c.json({ error: `no such switch: ${c.req.method} ${c.req.path}` }, 404));
}

function countStates(deliveries: Deliveries): Record<string, number> {
  const counts: Record<string, number> = { pending: 0, delivered: 0, failed: 0 };
  for (const { state } of deliveries.all) counts[state] = (counts[state] ?? 0) + 1;
  return counts;
}
