import { Hono } from 'hono';
import { z } from 'zod';
import type { Deliveries } from './core/deliveries.ts';
import type { World } from './core/world.ts';
import { localBody } from './local-body.ts';
import { fraudTypes, warnOfFraud } from './resources/fraud-warnings.ts';
import { makePast, pastRules } from './past.ts';
import { openLinkedSession, opening } from './resources/payment-links.ts';
import { sendThin, thin } from './thin-events.ts';

const warned = z.strictObject({ fraud_type: z.enum(fraudTypes).default('made_with_stolen_card') });
const finalizing = z.strictObject({
  fails: z.enum(['failed', 'requires_location_inputs']).nullable(),
});
const taxSettings = z.strictObject({
  status: z.enum(['active', 'pending']).optional(),
  tax_behavior: z.enum(['exclusive', 'inclusive', 'inferred_by_currency']).nullable().optional(),
});

/** `/_local`: what comes from outside of the API, and a past for a benchmark. Bodies are JSON. */
export const rareRoutes = (world: World, deliveries: Deliveries): Hono =>
  new Hono()
    .post('/past', async (c) => c.json(makePast(world, await localBody(c, pastRules)), 201))
    .post('/payment-link-session', async (c) => {
      const session = openLinkedSession(world, await localBody(c, opening));
      return c.json({ session }, 201);
    })
    .post('/charges/:charge/fraud-warning', async (c) => {
      const charge = world.store.need('charge', c.req.param('charge'));
      const { fraud_type: type } = await localBody(c, warned);
      return c.json({ warning: warnOfFraud(world, charge, type) }, 201);
    })
    .post('/customers/:customer/finalization', async (c) => {
      const { id } = world.store.need('customer', c.req.param('customer'));
      const { fails } = await localBody(c, finalizing);
      if (fails === null) delete world.store.notes.finalizationFails[id];
      else world.store.notes.finalizationFails[id] = fails;
      return c.json({ id, fails });
    })
    .post('/tax/settings', async (c) => {
      const settings = world.store.notes.taxSettings;
      const { status = settings.status, tax_behavior: behavior = settings.behavior } =
        await localBody(c, taxSettings);
      world.store.notes.taxSettings = { behavior, status };
      return c.json({ status, tax_behavior: behavior });
    })
    .post('/thin-events', async (c) =>
      c.json({ event: sendThin(world, deliveries, await localBody(c, thin)) }, 201),
    )
    .post('/deliver/:endpoint', async (c) => {
      const endpoint = world.store.need('webhook_endpoint', c.req.param('endpoint'));
      return c.json(await deliveries.post(endpoint, await c.req.text()));
    });
