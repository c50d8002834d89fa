import { readFileSync } from 'node:fs';
import { random } from '../core/ids.ts';
import { bool, list, metadata, need, str, strOrUnset } from '../core/params.ts';
import { invalid } from '../core/problem.ts';
import { reads } from '../core/reads.ts';
import { route, type Route } from '../core/route.ts';
import { mergeMetadata } from './metadata.ts';

/** The types that the SDK declares for our API version. */
const declaration = new URL(
  '../../../node_modules/stripe/esm/resources/WebhookEndpoints.d.ts',
  import.meta.url,
);
const [, declared = ''] =
  /type EnabledEvent = ([^;]*);/.exec(readFileSync(declaration, 'utf8')) ?? [];
const known = new Set([...declared.matchAll(/'([^']+)'/g)].map(([, type]) => type));

function checkEvents(types: string[] | undefined): void {
  if (types?.length === 0)
    throw invalid('enabled_events must not be empty.', { param: 'enabled_events' });
  const index = types?.findIndex((type) => !known.has(type)) ?? -1;
  if (index >= 0)
    throw invalid(`Invalid enabled_events[${index}]: ${types?.[index]} is not an event type`, {
      param: `enabled_events[${index}]`,
    });
}

function checkUrl(url: string | undefined): void {
  if (url !== undefined && !/^https?:\/\/[^\s/]+/i.test(url))
    throw invalid('Invalid URL: An explicit scheme (such as https) must be provided.', {
      code: 'url_invalid',
      param: 'url',
    });
}

const create = route(
  'POST',
  '/v1/webhook_endpoints',
  {
    api_version: str,
    description: strOrUnset,
    enabled_events: need(list(str, 500)),
    metadata,
    url: need(str),
  },
  ({ world, params }) => {
    checkEvents(params.enabled_events);
    checkUrl(params.url);
    if (params.api_version !== undefined && params.api_version !== world.apiVersion)
      throw invalid(`Invalid API version: this stand-in speaks ${world.apiVersion} only.`, {
        param: 'api_version',
      });
    const endpoint = world.store.add('webhook_endpoint', world.clock.now(), {
      api_version: params.api_version ?? null,
      description: params.description ?? null,
      enabled_events: params.enabled_events,
      metadata: mergeMetadata({}, params.metadata),
      url: params.url,
    });
    const secret = `whsec_${random(32)}`;
    world.store.notes.secrets[endpoint.id] = secret;
    return { ...endpoint, secret };
  },
);

const update = route(
  'POST',
  '/v1/webhook_endpoints/:endpoint',
  {
    description: strOrUnset,
    disabled: bool,
    enabled_events: list(str, 500),
    metadata,
    url: str,
  },
  ({ world, id, params }) => {
    const endpoint = world.store.need('webhook_endpoint', id);
    checkEvents(params.enabled_events);
    checkUrl(params.url);
    if (params.enabled_events) endpoint.enabled_events = params.enabled_events;
    if (params.url !== undefined) endpoint.url = params.url;
    if (params.description !== undefined) endpoint['description'] = params.description;
    if (params.disabled !== undefined) endpoint.status = params.disabled ? 'disabled' : 'enabled';
    endpoint.metadata = mergeMetadata(endpoint.metadata, params.metadata);
    return endpoint;
  },
);

/** Webhook endpoints; the secret is told once. Source: https://docs.stripe.com/api/webhook_endpoints */
export const webhookEndpointRoutes: Route[] = [
  create,
  update,
  ...reads('webhook_endpoint', '/v1/webhook_endpoints', {}),
  route('DELETE', '/v1/webhook_endpoints/:endpoint', {}, ({ world, id }) => {
    world.store.need('webhook_endpoint', id);
    world.store.remove('webhook_endpoint', id);
    delete world.store.notes.secrets[id];
    return { id, object: 'webhook_endpoint', deleted: true };
  }),
];
