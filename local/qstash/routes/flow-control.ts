import type { Engine } from '../engine.ts';
import type { FlowControlKey } from '../flow-control.ts';
import { Refusal } from '../problem.ts';
import { parseLimits } from '../settings.ts';
import { query, routes } from './request.ts';

/** A key as `GET /v2/flowControl/{key}` answers it (the OpenAPI document's `FlowControlKey`). */
const view = (key: FlowControlKey) => ({
  flowControlKey: key.name,
  waitListSize: key.waiting.size,
  parallelismMax: key.limits.parallelism ?? 0,
  parallelismCount: key.active,
  rateMax: key.limits.rate ?? 0,
  rateCount: key.limits.rate === undefined ? 0 : key.started,
  ratePeriod: key.limits.rate === undefined ? 0 : key.periodMs / 1_000,
  ratePeriodStart: Math.floor(key.periodStartedAt / 1_000),
  isPaused: key.paused,
  isPinnedParallelism: key.pinnedParallelism,
  isPinnedRate: key.pinnedRate,
});

function unpin(key: FlowControlKey, search: URLSearchParams): void {
  for (const [name, value] of search) {
    const known = name === 'parallelism' || name === 'rate';
    if (!known || !/^(?:true|false)$/.test(value))
      throw new Refusal(400, `invalid query parameter ${name}: ${value}`);
    if (value === 'true') key[name === 'rate' ? 'pinnedRate' : 'pinnedParallelism'] = false;
  }
}

const limitsIn = (search: URLSearchParams) =>
  parseLimits([...search].map(([name, value]) => `${name}=${value}`).join(','), 'flow control pin');

/** Flow-control keys: look, pause, resume, pin limits, and the global ceiling. */
export function flowControlRoutes({ flowControl, pump }: Engine) {
  const verbs: Record<string, (key: FlowControlKey, search: URLSearchParams) => void> = {
    pause: (key) => void (key.paused = true),
    resume: (key) => void (key.paused = false),
    pin: (key, search) => {
      key.pin(limitsIn(search));
      flowControl.startPeriod(key);
    },
    unpin,
    resetRate: (key) => flowControl.startPeriod(key),
  };
  return routes()
    .get('/globalParallelism', (c) =>
      c.json({ parallelismMax: flowControl.max, parallelismCount: flowControl.active }),
    )
    .get('/flowControl', (c) => c.json(flowControl.list().map(view)))
    .get('/flowControl/:key', (c) => {
      const key = flowControl.get(c.req.param('key'));
      if (!key) throw new Refusal(404, `flow control key ${c.req.param('key')} not found`);
      return c.json(view(key));
    })
    .post('/flowControl/:key/:verb{pause|resume|pin|unpin|resetRate}', (c) => {
      const key = flowControl.key(c.req.param('key'));
      verbs[c.req.param('verb')]?.(key, query(c));
      flowControl.refresh(key);
      pump();
      return c.body(null, 200);
    });
}
