import { z } from 'zod';
import type { Deliveries } from './core/deliveries.ts';
import { random } from './core/ids.ts';
import type { StripeEvent, WebhookEndpoint } from './core/types.ts';
import type { World } from './core/world.ts';

const related = z.strictObject({ id: z.string(), type: z.string(), url: z.string() });

/** What a thin event says beyond its name. Source: https://docs.stripe.com/api/v2/core/events/object */
export const thin = z.strictObject({
  type: z.string().regex(/^v[12]\.[\w.]+$/, 'must be a type of thin events: v1.… or v2.…'),
  /** A webhook endpoint's id; without one, every enabled endpoint. */
  endpoint: z.string().optional(),
  id: z.string().optional(),
  /** ISO text; now, unless it is given. */
  created: z.iso.datetime().optional(),
  livemode: z.boolean().default(false),
  context: z.string().optional(),
  data: z.record(z.string(), z.unknown()).optional(),
  related_object: related.nullable().default(null),
});

const endpointsFor = ({ store }: World, id: string | undefined): WebhookEndpoint[] =>
  id === undefined
    ? store.all('webhook_endpoint').filter(({ status }) => status === 'enabled')
    : [store.need('webhook_endpoint', id)];

/**
 * Delivers a thin event, signed and retried as any other: it says what happened to which object, not
 * how that object is. Source: https://docs.stripe.com/event-destinations#thin-events
 */
export function sendThin(world: World, deliveries: Deliveries, given: z.output<typeof thin>) {
  const { endpoint, ...fields } = given;
  const endpoints = endpointsFor(world, endpoint);
  const event = {
    ...fields,
    id: given.id ?? `evt_test_${random(24)}`,
    object: 'v2.core.event',
    created: given.created ?? new Date(world.clock.nowMs()).toISOString(),
  };
  const kept = structuredClone(event) as unknown as StripeEvent;
  // Webhooks are counted off, and a thin event does not say how many there are.
  Object.defineProperty(kept, 'pending_webhooks', { value: endpoints.length, writable: true });
  world.store.notes.planted[kept.id] = true;
  world.store.replace('event', kept.id, kept);
  for (const one of endpoints) deliveries.dispatchTo(kept, one);
  return event;
}
