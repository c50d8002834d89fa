import { Hono } from 'hono';
import { z } from 'zod';
import type { Faults } from '../support/faults.ts';
import type { Deliveries } from './core/deliveries.ts';
import { Problem } from './core/problem.ts';
import type { StripeEvent } from './core/types.ts';
import type { World } from './core/world.ts';
import { renewNow } from './resources/billing-cycle.ts';
import { rareRoutes } from './rare-routes.ts';
import { storyRoutes } from './story-routes.ts';
import { localBody } from './local-body.ts';
import { playUntil } from './timeline.ts';

/** The clock's end: after it a period may have no number. */
const lastMoment = Date.UTC(2200, 0) / 1000;

const nothing = z.strictObject({});
const clock = z
  .strictObject({ to: z.int().optional(), advance_seconds: z.int().min(0).optional() })
  .refine(
    ({ to, advance_seconds: by }) => (to === undefined) !== (by === undefined),
    'give either "advance_seconds" or "to" (unix seconds)',
  );
const paying = z.strictObject({ card: z.enum(['ok', 'decline', 'action', 'none']) });
const dunning = z.strictObject({ afterRetries: z.enum(['cancel', 'past_due', 'unpaid']) });
const delivering = z.strictObject({ paused: z.boolean() });
const draining = z.strictObject({ timeout_ms: z.coerce.number().min(0).default(10_000) });

const moment = (seconds: number): string => new Date(seconds * 1000).toISOString();

const clockState = (world: World, played = 0) => ({
  now: world.clock.now(),
  iso: moment(world.clock.now()),
  played,
});

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
      const given = await localBody(c, clock);
      const to = given.to ?? world.clock.now() + (given.advance_seconds ?? 0);
      if (to < world.clock.now()) return c.json({ error: 'to: the clock does not go back' }, 422);
      if (to > lastMoment) return c.json({ error: `the clock ends at ${moment(lastMoment)}` }, 422);
      return c.json(clockState(world, playUntil(world, to)));
    })
    .post('/customers/:customer', async (c) => {
      const customer = world.store.need('customer', c.req.param('customer'));
      const { card } = await localBody(c, paying);
      world.store.notes.cards[customer.id] = card;
      return c.json({ id: customer.id, card });
    })
    .post('/dunning', async (c) => {
      const { afterRetries } = await localBody(c, dunning);
      world.store.notes.afterRetries = afterRetries;
      return c.json({ afterRetries });
    })
    .post('/renew/:subscription', async (c) => {
      await localBody(c, nothing);
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
    .post('/events/:event/redeliver', async (c) => {
      await localBody(c, nothing);
      const event = world.store.need('event', c.req.param('event'));
      return c.json({ event: event.id, deliveries: deliveries.redeliver(event) });
    })
    .post('/redeliver-all', async (c) => {
      await localBody(c, nothing);
      const events = world.store.all('event');
      const count = events.reduce((sum, event) => sum + deliveries.redeliver(event), 0);
      return c.json({ events: events.length, deliveries: count });
    })
    .post('/deliveries', async (c) => {
      const { paused } = await localBody(c, delivering);
      deliveries.pause(paused);
      return c.json({ paused });
    })
    .post('/drain', async (c) => {
      await localBody(c, nothing);
      const { data, error } = draining.safeParse(c.req.query());
      if (error) return c.json({ error: z.prettifyError(error) }, 422);
      await deliveries.drain(data.timeout_ms);
      return c.json({ drained: true });
    })
    .route('/', storyRoutes(world))
    .route('/', rareRoutes(world, deliveries))
    .route('/', faults.routes())
    .all('*', (c) => c.json({ error: `no such switch: ${c.req.method} ${c.req.path}` }, 404));
}

function countStates(deliveries: Deliveries): Record<string, number> {
  const counts: Record<string, number> = { pending: 0, delivered: 0, failed: 0 };
  for (const { state } of deliveries.all) counts[state] = (counts[state] ?? 0) + 1;
  return counts;
}
