import { timingSafeEqual } from 'node:crypto';
import type { Hono } from 'hono';
import { Faults } from '../support/faults.ts';
import { listen, type Service } from '../support/http.ts';
import { Engine } from './engine.ts';
import { Refusal } from './problem.ts';
import { dlqRoutes } from './routes/dlq.ts';
import { flowRoutes } from './routes/flow.ts';
import { localRoutes } from './routes/local.ts';
import { messageRoutes } from './routes/messages.ts';
import { publishRoutes } from './routes/publish.ts';
import { routes } from './routes/request.ts';
import { scheduleRoutes } from './routes/schedules.ts';
import { Schedules } from './schedules.ts';

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
  random?: () => number;
};

/** A running stand-in. `drain` rejects when messages are left after `timeoutMs`. */
export type Qstash = Service & {
  faults: Faults;
  drain: (timeoutMs: number) => Promise<void>;
  state: () => ReturnType<Engine['state']>;
};

function same(given: string, wanted: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(wanted)];
  return a.length === b.length && timingSafeEqual(a, b);
}

function createApp(engine: Engine, schedules: Schedules, faults: Faults, token: string) {
  const v2 = routes()
    .use(async (c, next) => {
      if (!same(c.req.header('authorization') ?? '', `Bearer ${token}`))
        throw new Refusal(401, 'unable to authenticate: invalid token');
      await next();
    })
    .route('/', publishRoutes(engine))
    .route('/', messageRoutes(engine))
    .route('/', dlqRoutes(engine))
    .route('/', scheduleRoutes(engine, schedules))
    .route('/', flowRoutes(engine))
    .get('/keys', (c) => c.json(engine.keys.shown()))
    .post('/keys/rotate', (c) => c.json(engine.keys.rotate()));
  return routes()
    .use(faults.middleware())
    .route('/_local', faults.routes())
    .route('/_local', localRoutes(engine))
    .route('/v2', v2)
    .notFound((c) => c.json({ error: `not found: ${c.req.method} ${c.req.path}` }, 404))
    .onError((error, c) => {
      if (error instanceof Refusal) return c.json({ error: error.message }, error.status);
      console.error('qstash stand-in:', error);
      return c.json({ error: 'internal error' }, 500);
    });
}

/**
 * Starts a stand-in for Upstash QStash on 127.0.0.1: publish, batch, messages, DLQ, schedules, keys,
 * flow control and logs, held to `@upstash/qstash` 2.12 and to
 * https://github.com/upstash/docs/blob/main/qstash/openapi.yaml. What it does not know it refuses:
 * URL groups, queues, `api/…` destinations and unknown `Upstash-*` headers among them.
 */
export async function startQstash(options: QstashOptions): Promise<Qstash> {
  const { token, currentSigningKey, nextSigningKey } = options;
  const { timeScale = 1, parallelism = 100, random = Math.random } = options;
  const faults = new Faults();
  const engine = new Engine(
    { token, currentSigningKey, nextSigningKey, timeScale, parallelism, random },
    faults,
  );
  const app = createApp(engine, new Schedules(engine), faults, token);
  // `listen` names no bindings, though it always serves through Node.
  const service = await listen({ fetch: app.fetch as Hono['fetch'] }, options.port);
  return {
    ...service,
    faults,
    drain: (timeoutMs) => engine.drain(timeoutMs),
    state: () => engine.state(),
    close: async () => {
      engine.close();
      await service.close();
    },
  };
}
