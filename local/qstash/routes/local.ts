import type { Engine } from '../engine.ts';
import { routes } from './request.ts';

/** What QStash does not have: a look inside, the time scale, and late duplicates on demand. */
export const localRoutes = (engine: Engine) =>
  routes()
    .get('/state', (c) => c.json(engine.state()))
    .post('/time-scale', async (c) => {
      const { scale } = await c.req.json<{ scale?: unknown }>().catch(() => ({ scale: undefined }));
      if (typeof scale !== 'number' || !Number.isFinite(scale) || scale <= 0)
        return c.json({ error: 'scale must be a positive number' }, 422);
      engine.clock.setScale(scale);
      return c.json({ scale });
    })
    .post('/redeliver/:id', async (c) => {
      const reply = await engine.redeliver(c.req.param('id'));
      if (!reply) return c.json({ error: 'no finished message of this id' }, 404);
      return c.json('status' in reply ? { status: reply.status } : { error: reply.error });
    });
