import type { Hono } from 'hono';
import { Faults } from '../support/faults.ts';
import { listen, type Service } from '../support/http.ts';
import { Engine } from './engine.ts';
import { defaultPlan, type Plan } from './plan.ts';
import { Refusal } from './problem.ts';
import { dlqRoutes } from './routes/dlq.ts';
import { flowControlRoutes } from './routes/flow-control.ts';
import { messageRoutes } from './routes/messages.ts';
import { publishRoutes } from './routes/publish.ts';
import { refuseUnread, routes } from './routes/request.ts';

/** How to start the stand-in; `random` (0 ≤ x < 1) makes ids and keys repeatable. */
export type QstashOptions = {
  port?: number;
  token: string;
  currentSigningKey: string;
  nextSigningKey: string;
  /** Divides every wait but the delivery timeout; 100 is a hundred times faster. */
  timeScale?: number;
  /** Deliveries at once over all keys; 100 is the pay-as-you-go plan's. */
  parallelism?: number;
  plan?: Partial<Plan>;
  random?: () => number;
};

type Observer = (request: Request, response: Response) => void;

/** A running stand-in, whose `plan` may be changed. */
export type Qstash = Service & {
  faults: Faults;
  plan: Plan;
  /** Resolves when no message is left; rejects after `timeoutMs`. */
  drain: (timeoutMs: number) => Promise<void>;
  /** Hears of every call and its answer, but for what request faults do to them. */
  observe: (observer: Observer) => void;
  state: () => ReturnType<Engine['state']>;
  setTimeScale: (scale: number) => void;
};

function createApp(engine: Engine, token: string, observers: Observer[]) {
  const v2 = routes()
    .use(async (c, next) => {
      const seen = observers.map((observer) => ({ observer, request: c.req.raw.clone() }));
      await next();
      for (const { observer, request } of seen) observer(request, c.res.clone());
    })
    .use(async (c, next) => {
      if (c.req.header('authorization') !== `Bearer ${token}`)
        throw new Refusal(401, 'unable to authenticate: invalid token');
      await next();
    })
    .use(refuseUnread)
    .use(async (c, next) => {
      const publishes = /^POST \/v2\/(?:publish\/.|batch$)/.test(`${c.req.method} ${c.req.path}`);
      if (!publishes) engine.rateLimits.request();
      await next();
    })
    .route('/', publishRoutes(engine))
    .route('/', messageRoutes(engine))
    .route('/', dlqRoutes(engine))
    .route('/', flowControlRoutes(engine))
    .get('/keys', (c) => c.json(engine.keys.shown))
    .post('/keys/rotate', (c) => c.json(engine.keys.rotate()));
  return routes()
    .use(engine.faults.middleware())
    .route('/_local', engine.faults.routes())
    .get('/_local/state', (c) => c.json(engine.state()))
    .route('/v2', v2)
    .notFound((c) =>
      c.json({ error: `${c.req.method} ${c.req.path} is not found, or not played here` }, 404),
    )
    .onError((error, c) => {
      if (error instanceof Refusal)
        return c.json({ error: error.message }, error.status, error.headers);
      console.error('qstash stand-in:', error);
      return c.json({ error: 'internal error' }, 500);
    });
}

/**
 * Starts a stand-in for Upstash QStash on 127.0.0.1: publish, batch, messages, DLQ, keys,
 * flow control, bulk actions and logs, held to `@upstash/qstash` 2.12 and to
 * https://github.com/upstash/docs/blob/main/qstash/openapi.yaml. What it does not know it refuses:
 * URL groups, queues, `api/…` destinations and unknown `Upstash-*` headers among them. Throws
 * `TypeError` without a token or keys: nothing could be signed.
 */
export async function startQstash(options: QstashOptions): Promise<Qstash> {
  for (const name of ['token', 'currentSigningKey', 'nextSigningKey'] as const)
    if (!options[name]) throw new TypeError(`startQstash needs ${name}`);
  const plan = { ...defaultPlan(), ...options.plan };
  const faults = new Faults();
  const defaults = { timeScale: 1, parallelism: 100, random: Math.random };
  const engine = new Engine({ ...defaults, ...options, plan }, faults);
  const observers: Observer[] = [];
  const app = createApp(engine, options.token, observers);
  // `listen` names no bindings, though it always serves through Node.
  const service = await listen({ fetch: app.fetch as Hono['fetch'] }, options.port);
  return {
    ...service,
    faults,
    plan,
    drain: (timeoutMs) => engine.drain(timeoutMs),
    observe: (observer) => void observers.push(observer),
    state: () => engine.state(),
    setTimeScale: (scale) => engine.clock.setScale(scale),
    close: async () => {
      engine.close();
      await service.close();
    },
  };
}
