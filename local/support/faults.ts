import type { HttpBindings } from '@hono/node-server';
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import { Hono, type MiddlewareHandler } from 'hono';
import { sleep } from './http.ts';

/**
 * A fault switch. `request` faults meet calls made to the stand-in; `delivery` faults meet the
 * calls that the stand-in makes (QStash's messages, Stripe's webhooks); `message` faults (`status`
 * alone) make a message of a QStash batch fail with `body` as its error.
 *
 * - `latency`: wait `ms` first.
 * - `status`: answer `status` with `body` and `headers` without doing the work.
 * - `drop`: cut the connection, `when: 'before'` the work (default) or `'after'` it (the work is done,
 *   the caller never hears of it).
 * - `duplicate` (delivery): deliver twice. `reorder` (delivery): deliver after the next one.
 */
export type Fault = {
  id: number;
  on: 'request' | 'delivery' | 'message';
  kind: 'latency' | 'status' | 'drop' | 'duplicate' | 'reorder';
  /**
   * Substring of "METHOD /path" (requests), of the destination URL or event type (deliveries), or of
   * "#3 https://destination deduplication-id label…" for the third message of a batch.
   */
  match?: string | undefined;
  ms?: number | undefined;
  status?: number | undefined;
  body?: unknown;
  headers?: Record<string, string> | undefined;
  when?: 'before' | 'after' | undefined;
  /** How many times it still strikes; absent: always. */
  times?: number | undefined;
  /** Chance of striking, 0–1; absent: 1. */
  probability?: number | undefined;
};

const kinds = ['latency', 'status', 'drop', 'duplicate', 'reorder'];
const fields = 'on kind match ms status body headers when times probability'.split(' ');

/** Says what is wrong with a fault sent to `POST /_local/faults`, or undefined. */
function problemOf(input: Record<string, unknown>): string | undefined {
  const unknown = Object.keys(input).find((key) => !fields.includes(key));
  if (unknown) return `unknown field "${unknown}"`;
  if (!kinds.includes(String(input['kind']))) return `kind must be one of ${kinds.join(', ')}`;
  if (![undefined, 'request', 'delivery', 'message'].some((on) => on === input['on']))
    return 'on must be "request", "delivery" or "message"';
  if (input['on'] === 'message' && input['kind'] !== 'status')
    return 'a message knows no fault but status';
  if (input['kind'] === 'latency' && typeof input['ms'] !== 'number') return 'latency needs ms';
  if (input['kind'] === 'status' && typeof input['status'] !== 'number')
    return 'status needs status';
  return undefined;
}

/** The switches of one stand-in: its memory, its routes under `/_local/faults`, its middleware. */
export class Faults {
  #next = 1;
  #list: Fault[] = [];

  /** Adds a switch; without `on` it meets requests. */
  add(fault: Omit<Fault, 'id' | 'on'> & { on?: Fault['on'] }): Fault {
    const added: Fault = { on: 'request', ...fault, id: this.#next++ };
    this.#list.push(added);
    return added;
  }

  clear(): void {
    this.#list = [];
  }

  /** The faults that strike this subject now; each one taken counts down its `times`. */
  take(on: Fault['on'], subject: string): Fault[] {
    const struck = this.#list.filter(
      (fault) =>
        fault.on === on &&
        (fault.match === undefined || subject.includes(fault.match)) &&
        (fault.times === undefined || fault.times > 0) &&
        (fault.probability === undefined || Math.random() < fault.probability),
    );
    for (const fault of struck) if (fault.times !== undefined) fault.times -= 1;
    return struck;
  }

  /** Routes to mount at `/_local`: list, add and clear switches. */
  routes(): Hono {
    return new Hono()
      .get('/faults', (c) => c.json({ faults: this.#list }))
      .post('/faults', async (c) => {
        const input = await c.req.json<Record<string, unknown>>();
        const problem = problemOf(input);
        if (problem) return c.json({ error: problem }, 422);
        return c.json(this.add(input as Omit<Fault, 'id'>), 201);
      })
      .delete('/faults', (c) => {
        this.clear();
        return c.body(null, 204);
      });
  }

  /** Lets request faults strike everything but `/_local/*`. */
  middleware(): MiddlewareHandler<{ Bindings: HttpBindings }> {
    return async (c, next) => {
      if (c.req.path.startsWith('/_local/')) return next();
      const struck = this.take('request', `${c.req.method} ${c.req.path}`);
      for (const fault of struck) if (fault.kind === 'latency') await sleep(fault.ms ?? 0);
      const cut = struck.find((fault) => fault.kind === 'drop');
      if (cut) {
        if (cut.when === 'after') await next();
        c.env.outgoing.destroy();
        return RESPONSE_ALREADY_SENT;
      }
      const status = struck.find((fault) => fault.kind === 'status');
      if (!status) return next();
      const body =
        typeof status.body === 'string' ? status.body : JSON.stringify(status.body ?? {});
      return new Response(body, {
        status: status.status ?? 500,
        headers: { 'content-type': 'application/json', ...status.headers },
      });
    };
  }
}
