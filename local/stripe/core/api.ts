import type { HttpBindings } from '@hono/node-server';
import { type Context, Hono, type MiddlewareHandler } from 'hono';
import type { Faults } from '../../support/faults.ts';
import { checkPaths, expand } from './expand.ts';
import { decodeForm, type Raw } from './form.ts';
import type { Idempotency } from './idempotency.ts';
import { random } from './ids.ts';
import { invalid, Problem } from './problem.ts';
import type { Route } from './route.ts';
import type { World } from './world.ts';

type Env = { Bindings: HttpBindings; Variables: { requestId: string; body: string } };

const refuse = (c: Context<Env>, problem: Problem): Response =>
  c.body(JSON.stringify({ error: problem.body }, null, 2), problem.status as 400, {
    'content-type': 'application/json',
  });

/** Request id and version on every answer, and Stripe's error form for whatever is thrown. */
const frame =
  (world: World): MiddlewareHandler<Env> =>
  async (c, next) => {
    c.set('requestId', `req_${random(14)}`);
    await next();
    if (!c.res.headers.has('request-id')) c.header('Request-Id', c.get('requestId'));
    c.header('Stripe-Version', c.req.header('stripe-version') ?? world.apiVersion);
  };

/** 401 for another key, 400 for a version whose shapes the stand-in does not know. */
const gate =
  (world: World, secretKey: string): MiddlewareHandler<Env> =>
  async (c, next) => {
    const [scheme, credentials = ''] = (c.req.header('authorization') ?? '').split(' ');
    const key =
      scheme === 'Basic'
        ? Buffer.from(credentials, 'base64').toString().split(':')[0]
        : credentials;
    if (!key)
      throw new Problem(401, {
        type: 'invalid_request_error',
        message:
          "You did not provide an API key. You need to provide your API key in the Authorization header, using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY').",
      });
    if (key !== secretKey)
      throw new Problem(401, {
        type: 'invalid_request_error',
        message: `Invalid API Key provided: ${key.slice(0, 8)}${'*'.repeat(8)}${key.slice(-4)}`,
      });
    const version = c.req.header('stripe-version');
    if (version !== undefined && version !== world.apiVersion)
      throw invalid(
        `Invalid Stripe API version: ${version}. This stand-in speaks ${world.apiVersion}.`,
      );
    c.set('body', c.req.method === 'POST' ? await c.req.text() : '');
    await next();
  };

/** Holds a key while its request runs, faults included: a retry meanwhile is told 409. */
const lock =
  (idempotency: Idempotency): MiddlewareHandler<Env> =>
  async (c, next) => {
    const key = c.req.method === 'POST' ? c.req.header('idempotency-key') : undefined;
    if (key === undefined) return next();
    const release = idempotency.begin(key);
    try {
      await next();
    } finally {
      release();
    }
  };

/** A request that reached its route, its parameters decoded, and what it was answered. */
export type Exchange = {
  method: string;
  path: string;
  params: Record<string, Raw>;
  status: number;
  body: unknown;
};

const watch =
  (observe: (exchange: Exchange) => void): MiddlewareHandler<Env> =>
  async (c, next) => {
    await next();
    const { method } = c.req;
    const { pathname: path, search } = new URL(c.req.url);
    const params = decodeForm(method === 'POST' ? c.get('body') : search);
    observe({ method, path, params, status: c.res.status, body: await c.res.clone().json() });
  };

/** Runs the route once per idempotency key and answers, or answers again. */
function answer(c: Context<Env>, world: World, idempotency: Idempotency, found: Route): Response {
  const key = found.method === 'POST' ? c.req.header('idempotency-key') : undefined;
  const url = new URL(c.req.url);
  const fingerprint = `${url.pathname}\n${c.get('body')}`;
  const now = world.clock.now();
  const first = key === undefined ? undefined : idempotency.find(key, fingerprint, now);
  const headers = { 'content-type': 'application/json' };
  if (first)
    return c.body(first.body, first.status as 200, {
      ...headers,
      'Idempotent-Replayed': 'true',
      'Original-Request': first.requestId,
      'Idempotency-Key': key ?? '',
    });
  const requestId = c.get('requestId');
  const ids = Object.values(c.req.param() as Record<string, string>);
  const raw = decodeForm(found.method === 'POST' ? c.get('body') : url.search);
  const keep = (status: number, body: string): void => {
    if (key !== undefined) idempotency.keep(key, { fingerprint, status, body, requestId, at: now });
  };
  world.cause = { id: requestId, idempotency_key: key ?? null };
  try {
    checkPaths(raw['expand']);
    const done = found.run(world, ids, raw);
    // Stripe indents its answers; long ones are not, which halves the time that they take.
    const indent = done.answer['object'] === 'list' ? 0 : 2;
    const body = JSON.stringify(expand(world.store, done.answer, done.expand), null, indent);
    keep(200, body);
    return c.body(body, 200, key === undefined ? headers : { ...headers, 'Idempotency-Key': key });
  } catch (error) {
    // A declined card has changed state, so its answer is kept; a refused request has not run.
    if (error instanceof Problem && error.status === 402)
      keep(402, JSON.stringify({ error: error.body }, null, 2));
    throw error;
  } finally {
    world.cause = { id: null, idempotency_key: null };
  }
}

/** The API under `/v1`. Anything that no route names is Stripe's 404. */
export function api(input: {
  world: World;
  secretKey: string;
  idempotency: Idempotency;
  faults: Faults;
  routes: Route[];
  observe?: ((exchange: Exchange) => void) | undefined;
}): Hono<Env> {
  const { world, idempotency } = input;
  const app = new Hono<Env>();
  app.use(frame(world), gate(world, input.secretKey), lock(idempotency), input.faults.middleware());
  if (input.observe) app.use(watch(input.observe));
  for (const each of input.routes)
    app.on(each.method, each.path, (c) => answer(c, world, idempotency, each));
  app.all('*', (c) => {
    throw new Problem(404, {
      type: 'invalid_request_error',
      message: `Unrecognized request URL (${c.req.method}: ${new URL(c.req.url).pathname}). Please see https://stripe.com/docs or we can help at https://support.stripe.com/.`,
    });
  });
  app.onError((error, c) => {
    if (error instanceof Problem) return refuse(c, error);
    console.error(error);
    const message = 'The Stripe stand-in failed; see its log.';
    return refuse(c, new Problem(500, { type: 'api_error', message }));
  });
  return app;
}
