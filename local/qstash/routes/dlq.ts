import type { Engine } from '../engine.ts';
import { commonFilters, parseSelection, type Selection } from '../filter.ts';
import { deadView, type DeadMessage } from '../message.ts';
import { Refusal } from '../problem.ts';
import { parseSettings } from '../settings.ts';
import { query, routes, type Ctx } from './request.ts';

// Unlike cancelling and logs, the DLQ refuses `host` and `path` (says the SDK's types).
const filters = [...commonFilters, 'messageId', 'responseStatus'];

const selection = (c: Ctx): Selection => parseSelection(query(c), { ids: 'dlqIds', filters });

/** The dead-letter queue: list, get, delete, retry; in bulk by ids, by filter, or all of it. */
export function dlqRoutes(engine: Engine) {
  const { deadLetters } = engine;
  const known = (dlqId: string): DeadMessage => {
    const found = deadLetters.get(dlqId);
    if (!found) throw new Refusal(404, `dlq message ${dlqId} not found`);
    return found;
  };
  return (
    routes()
      .get('/dlq', (c) => {
        const { found, cursor } = deadLetters.select(selection(c));
        return c.json({ messages: found.map(deadView), cursor });
      })
      .get('/dlq/:id', (c) => c.json(deadView(known(c.req.param('id')))))
      .delete('/dlq', (c) => {
        const { found, cursor } = deadLetters.select(selection(c));
        return c.json({
          deleted: found.filter(({ dlqId }) => deadLetters.delete(dlqId)).length,
          cursor,
        });
      })
      .delete('/dlq/:id', (c) => {
        deadLetters.delete(known(c.req.param('id')).dlqId);
        return c.body(null, 200);
      })
      // Configuration headers on a retry override those of the original message.
      .post('/dlq/retry', (c) => {
        const overrides = parseSettings(c.req.raw.headers);
        const selected = selection(c);
        for (const id of selected.ids ?? []) known(id);
        const { found, cursor } = deadLetters.select(selected);
        return c.json(
          { responses: found.map((each) => engine.revive(each, overrides)), cursor },
          201,
        );
      })
      .post('/dlq/retry/:id', (c) =>
        c.json(engine.revive(known(c.req.param('id')), parseSettings(c.req.raw.headers)), 201),
      )
  );
}
