import type { Engine } from '../engine.ts';
import { parseSelection } from '../filter.ts';
import { logView } from '../logs.ts';
import { messageView } from '../message.ts';
import { Refusal } from '../problem.ts';
import { query, routes, type Ctx } from './request.ts';

const shared = 'fromDate toDate callerIp callerIP label flowControlKey url topicName'.split(' ');
const more = ['scheduleId', 'queueName', 'host', 'path'];
const logFilters = [...shared, ...more, 'messageId', 'state'];

function logPage(c: Ctx, engine: Engine) {
  const { ids, matches, count, cursor } = parseSelection(query(c), {
    ids: 'messageIds',
    filters: logFilters,
  });
  const last = cursor === undefined ? Number.POSITIVE_INFINITY : Number(cursor.split('-')[1]);
  if (Number.isNaN(last)) throw new Refusal(400, `invalid cursor: ${cursor}`);
  const found = engine.logs
    .newest()
    .filter(
      (entry) => entry.order < last && (ids?.includes(entry.message.id) ?? true) && matches(entry),
    );
  const page = found.slice(0, count);
  const end = found.length > count ? page.at(-1) : undefined;
  return { cursor: end && `${end.time}-${end.order}`, entries: page.map(logView) };
}

/** Live messages (a delivered one is a 404 already), their cancelling, and the log of changes. */
export const messageRoutes = (engine: Engine) =>
  routes()
    .get('/messages/:id', (c) => {
      const message = engine.live.get(c.req.param('id'));
      if (!message) throw new Refusal(404, `message ${c.req.param('id')} not found`);
      return c.json(messageView(message));
    })
    .delete('/messages/:id', (c) => {
      if (!engine.cancel(c.req.param('id')))
        throw new Refusal(404, `message ${c.req.param('id')} not found`);
      return c.json({ cancelled: 1 }, 202);
    })
    .delete('/messages', (c) => {
      const { ids, matches } = parseSelection(query(c), {
        ids: 'messageIds',
        filters: [...shared, ...more],
      });
      // `count` and `cursor` are read and ignored, as documented: all matches go at once.
      const chosen =
        ids ??
        [...engine.live.values()]
          .filter((message) => matches({ message, time: message.createdAt }))
          .map((message) => message.id);
      return c.json({ cancelled: chosen.filter((id) => engine.cancel(id)).length }, 202);
    })
    // The SDK calls `events`, the documentation `logs`; they differ in the name of the list.
    .get('/events', (c) => {
      const { cursor, entries } = logPage(c, engine);
      return c.json({ cursor, events: entries });
    })
    .get('/logs', (c) => {
      const { cursor, entries } = logPage(c, engine);
      return c.json({ cursor, logs: entries });
    });
