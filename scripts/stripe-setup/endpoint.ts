import type Stripe from 'stripe';
import { stripeApiVersion } from '../../functions/clients/stripe.ts';
import { eventTypes } from '../../functions/stripe/read-event.pure.ts';
import type { Report } from './prices.ts';

type EnabledEvent = Stripe.WebhookEndpointCreateParams.EnabledEvent;

/** What has to be changed about an endpoint; nothing, if it is as it should be. */
function changesOf(
  endpoint: Stripe.WebhookEndpoint,
  events: EnabledEvent[],
): Stripe.WebhookEndpointUpdateParams {
  return {
    ...(endpoint.enabled_events.toSorted().join() !== events.join() && { enabled_events: events }),
    ...(endpoint.status === 'disabled' && { disabled: false }),
  };
}

/**
 * The webhook endpoint for exactly the events that we handle. Gives the signing secret when the
 * endpoint is new: Stripe shows it only then.
 */
export async function ensureEndpoint(
  stripe: Stripe,
  url: string,
  report: Report,
): Promise<string | null> {
  const events = eventTypes.toSorted() as EnabledEvent[];
  for await (const endpoint of stripe.webhookEndpoints.list({ limit: 100 })) {
    if (endpoint.url !== url) continue;
    const { api_version: version } = endpoint;
    if (version !== stripeApiVersion)
      report(
        `webhook endpoint ${url}: sends API version ${version ?? "that is the account's default"}, and this code reads ${stripeApiVersion}. A version cannot be changed: delete the endpoint and run this again.`,
      );
    const changes = changesOf(endpoint, events);
    if (Object.keys(changes).length > 0) {
      await stripe.webhookEndpoints.update(endpoint.id, changes);
      const names = [
        changes.enabled_events && 'events updated',
        'disabled' in changes && 'enabled',
      ];
      report(`webhook endpoint ${url}: ${names.filter(Boolean).join(', ')}`);
    }
    return null;
  }
  const created = await stripe.webhookEndpoints.create({
    url,
    enabled_events: events,
    api_version: stripeApiVersion,
  });
  report(`webhook endpoint ${url}: created; put its secret into STRIPE_WEBHOOK_SECRET`);
  return created.secret ?? null;
}
