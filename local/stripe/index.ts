import { Hono } from 'hono';
import { Faults } from '../support/faults.ts';
import { listen, type Service } from '../support/http.ts';
import { api, type Exchange } from './core/api.ts';
import { Clock } from './core/clock.ts';
import { Deliveries } from './core/deliveries.ts';
import { Idempotency } from './core/idempotency.ts';
import { Store } from './core/store.ts';
import type { StripeEvent } from './core/types.ts';
import { World } from './core/world.ts';
import { checkoutPages } from './hosted/checkout-page.ts';
import { invoicePages } from './hosted/invoice-page.ts';
import { portalPages } from './hosted/portal-page.ts';
import { localRoutes } from './local-routes.ts';
import { makePast, type Past } from './past.ts';
import { routes } from './routes.ts';
import { Keeper, readState, restore } from './state.ts';
import { tell, type Told } from './tell.ts';
import { playDue, playUntil } from './timeline.ts';

export { signPayload } from './core/sign.ts';

const tickMs = 1_000;

export type StripeOptions = {
  /** 0 or absent takes a free port. */
  port?: number;
  secretKey?: string;
  apiVersion?: string;
  /** Divides the waits between webhook retries. */
  timeScale?: number;
  /** The flat rate where automatic tax is asked for, in percent; `/_local/tax` changes it. */
  taxPercent?: number;
  /** A JSON file that keeps the state across restarts. */
  statePath?: string;
  /** Shown every request of the API with its answer, and every event not told from outside. */
  observe?: (seen: Exchange | StripeEvent) => void;
};

export type StripeStandIn = Service & {
  faults: Faults;
  secretKey: string;
  /** Moves the clock to a unix second and plays what falls due; gives how many steps were played. */
  advanceTo: (seconds: number) => number;
  /** Tells an event as if Stripe had: see `tell.ts`. @throws Problem for objects that are not kept. */
  tell: (told: Told) => void;
  /** Makes customers with a past, without events: see `past.ts`. */
  makePast: (past: Past) => { customers: number; steps: number };
  /** The stand-in's time in unix seconds. */
  now: () => number;
  /** The same in milliseconds. */
  nowMs: () => number;
  /**
   * Waits until no delivery is in flight and none is due before the timeout.
   * @throws Error when the timeout passes first.
   */
  drain: (timeoutMs?: number) => Promise<void>;
};

/**
 * Starts a stateful stand-in for Stripe's API on 127.0.0.1: the routes of `routes.ts` under `/v1`,
 * hosted checkout and portal pages, signed webhooks, and `/_local` for what is outside the API.
 * Whatever it does not know it refuses in Stripe's error form. Source: https://docs.stripe.com/api
 */
export async function startStripe(options: StripeOptions = {}): Promise<StripeStandIn> {
  const { secretKey = 'sk_test_local', apiVersion = '2026-10-28.endive', timeScale = 1 } = options;
  const saved = readState(options.statePath);
  const world = new World({ store: new Store(), clock: new Clock(saved?.offsetMs), apiVersion });
  const faults = new Faults();
  const idempotency = new Idempotency();
  const deliveries = new Deliveries(world, faults, timeScale);
  const parts = { world, idempotency, deliveries };
  const keeper = new Keeper(options.statePath, parts);
  world.onEvent = (event) => {
    deliveries.dispatch(event);
    if (!world.store.notes.planted[event.id]) options.observe?.(event);
  };
  const changed = (): void => {
    world.quietUntil = 0;
    keeper.touch();
  };
  const app = new Hono();
  app.use(async (c, next) => {
    await next();
    // Whoever reads an object learns from `Date` when it was so.
    c.header('date', new Date(world.clock.nowMs()).toUTCString());
    if (c.req.method !== 'GET') changed();
  });
  app.route('/_local', localRoutes(world, deliveries, faults));
  app.route('/', checkoutPages(world));
  app.route('/', portalPages(world));
  app.route('/', invoicePages(world));
  app.mount(
    '/',
    api({ world, secretKey, idempotency, faults, routes, observe: options.observe }).fetch,
  );
  const service = await listen(app, options.port);
  world.base = service.url;
  restore(parts, saved);
  if (options.taxPercent !== undefined) world.store.notes.taxPercent = options.taxPercent;
  const tick = setInterval(() => {
    try {
      if (playDue(world) > 0) keeper.touch();
    } catch (error) {
      console.error('The Stripe stand-in cannot play what fell due:', error);
    }
  }, tickMs).unref();
  return {
    ...service,
    faults,
    secretKey,
    advanceTo: (seconds) => playUntil(world, seconds),
    tell: (told) => {
      tell(world, told);
      changed();
    },
    makePast: (past) => {
      changed();
      return makePast(world, past);
    },
    now: () => world.clock.now(),
    nowMs: () => world.clock.nowMs(),
    drain: (timeoutMs) => deliveries.drain(timeoutMs),
    close: async () => {
      clearInterval(tick);
      deliveries.close();
      keeper.close();
      await service.close();
    },
  };
}
