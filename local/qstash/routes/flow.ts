import type { Engine } from '../engine.ts';
import type { Lane } from '../lanes.ts';
import { Refusal } from '../problem.ts';
import { parseLimits } from '../settings.ts';
import { query, routes } from './request.ts';

/** A key as `GET /v2/flowControl/{key}` answers it (the OpenAPI document's `FlowControlKey`). */
const view = (lane: Lane) => ({
  flowControlKey: lane.key,
  waitListSize: lane.waiting,
  parallelismMax: lane.limits.parallelism ?? 0,
  parallelismCount: lane.active,
  rateMax: lane.limits.rate ?? 0,
  rateCount: lane.limits.rate === undefined ? 0 : lane.started,
  ratePeriod: lane.limits.rate === undefined ? 0 : lane.periodMs / 1_000,
  ratePeriodStart: Math.floor(lane.periodStartedAt / 1_000),
  isPaused: lane.paused,
  isPinnedParallelism: lane.pinnedParallelism,
  isPinnedRate: lane.pinnedRate,
});

function resetRate(lane: Lane): void {
  lane.periodStart = Number.NEGATIVE_INFINITY;
  lane.started = 0;
}

function pin(lane: Lane, search: URLSearchParams): void {
  const given = [...search].map(([name, value]) => `${name}=${value}`);
  const { parallelism, rate, periodMs } = parseLimits(given.join(','), 'flow control pin');
  if (parallelism !== undefined) lane.limits.parallelism = parallelism;
  if (rate !== undefined) Object.assign(lane.limits, { rate, periodMs });
  lane.pinnedParallelism ||= parallelism !== undefined;
  lane.pinnedRate ||= rate !== undefined;
  resetRate(lane);
}

function unpin(lane: Lane, search: URLSearchParams): void {
  for (const [name, value] of search) {
    const known = name === 'parallelism' || name === 'rate';
    if (!known || !/^(?:true|false)$/.test(value))
      throw new Refusal(400, `invalid query parameter ${name}: ${value}`);
    if (value === 'true') lane[name === 'rate' ? 'pinnedRate' : 'pinnedParallelism'] = false;
  }
}

const verbs: Record<string, (lane: Lane, search: URLSearchParams) => void> = {
  pause: (lane) => void (lane.paused = true),
  resume: (lane) => void (lane.paused = false),
  pin,
  unpin,
  resetRate,
};

/** Flow-control keys: look, pause, resume, pin limits, and the global ceiling. */
export const flowRoutes = (engine: Engine) =>
  routes()
    .get('/globalParallelism', (c) =>
      c.json({ parallelismMax: engine.lanes.max, parallelismCount: engine.lanes.active }),
    )
    .get('/flowControl', (c) => c.json(engine.lanes.list().map(view)))
    .get('/flowControl/:key', (c) => {
      const lane = engine.lanes.get(c.req.param('key'));
      if (!lane) throw new Refusal(404, `flow control key ${c.req.param('key')} not found`);
      return c.json(view(lane));
    })
    .post('/flowControl/:key/:verb{pause|resume|pin|unpin|resetRate}', (c) => {
      const lane = engine.lanes.lane(c.req.param('key'));
      verbs[c.req.param('verb')]?.(lane, query(c));
      engine.lanes.refresh(lane);
      engine.pump();
      return c.body(null, 200);
    });
