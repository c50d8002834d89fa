import type { BulkAction } from '../bulk-actions.ts';
import type { Engine } from '../engine.ts';
import { commonFilters, parseSelection } from '../filter.ts';
import { logView } from '../logs.ts';
import { messageView } from '../message.ts';
import { Refusal } from '../problem.ts';
import { query, routes, type Ctx } from './request.ts';

const filters = [...commonFilters, 'host', 'path'];

function logPage(c: Ctx, engine: Engine) {
  const { ids, matches, count, cursor } = parseSelection(query(c), {
    ids: 'messageIds',
    filters: [...filters, 'messageId', 'state'],
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

/** One page of bulk actions; as documented, `state` thins the page out and does not fill it up. */
function bulkActionPage(search: URLSearchParams, actions: BulkAction[]) {
  const given = Object.fromEntries(search);
  const { cursor = '0', count = '100', state, ...others } = given;
  const states = [undefined, 'IN_PROGRESS', 'FINISHED'];
  const sound = /^\d+$/.test(cursor) && /^[1-9]\d*$/.test(count) && states.includes(state);
  if (!sound || Object.keys(others).length > 0)
    throw new Refusal(400, `invalid query parameters: ${search.toString()}`);
  const end = Number(cursor) + Math.min(Number(count), 1_000);
  const page = actions.slice(Number(cursor), end);
  return {
    cursor: end < actions.length ? String(end) : undefined,
    bulkActions: page.filter((action) => state === undefined || action.state === state),
  };
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
    .delete('/messages', async (c) => {
      const search = query(c);
      const { ids, filter, matches } = parseSelection(search, {
        ids: 'messageIds',
        filters,
        // `count` is deprecated and ignored, as documented: all that match are cancelled.
        others: ['count', 'async'],
      });
      if (ids) return c.json({ cancelled: ids.filter(engine.cancel).length }, 202);
      const later = search.get('async') ?? 'false';
      if (!/^(?:true|false)$/.test(later)) throw new Refusal(400, `invalid async: ${later}`);
      const select = () =>
        [...engine.live.values()].flatMap((message) =>
          !message.cancelRequested && matches({ message, time: message.createdAt })
            ? message.id
            : [],
        );
      const action = engine.bulkActions.start(filter, select, engine.cancel);
      const { total: cancelled, actionId } = action;
      if (later === 'true') return c.json({ cancelled, actionId }, 202);
      if (await engine.bulkActions.finishes(action)) return c.json({ cancelled }, 202);
      throw new Refusal(429, `bulk action ${actionId} did not finish in time and goes on`);
    })
    .get('/bulkActions', (c) => c.json(bulkActionPage(query(c), engine.bulkActions.list())))
    .get('/bulkActions/:id', (c) => {
      const action = engine.bulkActions.get(c.req.param('id'));
      if (!action) throw new Refusal(404, `bulk action ${c.req.param('id')} not found`);
      return c.json(action);
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
