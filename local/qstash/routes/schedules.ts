import { parseCron } from '../cron.ts';
import type { Engine } from '../engine.ts';
import { Refusal } from '../problem.ts';
import { scheduleView, type Schedule, type Schedules } from '../schedules.ts';
import { parseSettings, resourceName } from '../settings.ts';
import { bodyBytes, callerIp, destinationAfter, routes } from './request.ts';

const own = ['upstash-cron', 'upstash-schedule-id'];

/** Schedules: create or replace, list, get, delete, pause and resume. */
export function scheduleRoutes(engine: Engine, schedules: Schedules) {
  const known = (id: string): Schedule => {
    const schedule = schedules.get(id);
    if (!schedule) throw new Refusal(404, `schedule ${id} not found`);
    return schedule;
  };
  return (
    routes()
      .get('/schedules', (c) => c.json(schedules.list().map(scheduleView)))
      .get('/schedules/:id', (c) => c.json(scheduleView(known(c.req.param('id')))))
      .delete('/schedules/:id', (c) => {
        schedules.delete(known(c.req.param('id')).id);
        return c.body(null, 200);
      })
      // The SDK sends PATCH, the OpenAPI document says POST.
      .on(['PATCH', 'POST'], '/schedules/:id/:verb{pause|resume}', (c) => {
        known(c.req.param('id')).paused = c.req.param('verb') === 'pause';
        return c.body(null, 200);
      })
      .post('/schedules/*', async (c) => {
        const url = destinationAfter(c, '/v2/schedules/');
        const { headers } = c.req.raw;
        const settings = parseSettings(headers, own);
        const id = headers.get('upstash-schedule-id') ?? engine.newId('scd_', 28);
        if (!resourceName.test(id)) throw new Refusal(400, `invalid schedule id: ${id}`);
        const cron = parseCron(headers.get('upstash-cron') ?? '');
        const draft = { url, settings, body: await bodyBytes(c), callerIp: callerIp(c) };
        return c.json({ scheduleId: schedules.put(id, cron, draft).id });
      })
  );
}
