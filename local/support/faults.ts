import type { HttpBindings } from '@hono/node-server';
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import { Hono, type MiddlewareHandler } from 'hono';
import { z } from 'zod';
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
const schema = z
  .strictObject({
    on: z.enum(['request', 'delivery', 'message']).optional(),
    kind: z.enum(['latency', 'status', 'drop', 'duplicate', 'reorder']),
    /**
     * Substring of "METHOD /path" (requests), of the destination URL or event type (deliveries), or of
     * "#3 https://destination deduplication-id label…" for the third message of a batch.
     */
    match: z.string().optional(),
    ms: z.number().min(0).max(600_000).optional(),
    status: z.int().min(200).max(599).optional(),
    body: z.unknown().optional(),
    headers: z.record(z.string(), z.string()).refine(canBeSent, 'no HTTP headers').optional(),
    when: z.enum(['before', 'after']).optional(),
    /** How many times it still strikes; absent: always. */
    times: z.int().min(0).optional(),
    /** Chance of striking, 0–1; absent: 1. */
    probability: z.number().min(0).max(1).optional(),
  })
  .refine(({ on, kind }) => on !== 'message' || kind === 'status', 'a message knows only status')
  .refine(
    ({ on, kind }) => on === 'delivery' || (kind !== 'duplicate' && kind !== 'reorder'),
    'duplicate and reorder need on: "delivery"',
  )
  .refine(({ kind, ms }) => kind !== 'latency' || ms !== undefined, 'latency needs ms')
  .refine(({ kind, status }) => kind !== 'status' || status !== undefined, 'status needs status');

type Given = z.infer<typeof schema>;
export type Fault = Given & { id: number; on: NonNullable<Given['on']> };

function canBeSent(headers: Record<string, string>): boolean {
  try {
    return Boolean(new Headers(headers));
  } catch {
    return false;
  }
}

/** Statuses whose answers have no body; a Response with one cannot be made. */
const bodyless = [204, 205, 304];

/** The switches of one stand-in: its memory, its routes under `/_local/faults`, its middleware. */
export class Faults {
  #next = 1;
  #list: Fault[] = [];

  /** Adds a switch; without `on` it meets requests. */
  add(fault: Given): Fault {
    const added: Fault = { ...fault, on: fault.on ?? 'request', id: this.#next++ };
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
        const given: unknown = await c.req.json().catch(() => undefined);
        const { data, error } = schema.safeParse(given);
        if (error) return c.json({ error: `not a fault: ${z.prettifyError(error)}` }, 422);
        return c.json(this.add(data), 201);
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
      return new Response(bodyless.includes(status.status ?? 500) ? null : body, {
        status: status.status ?? 500,
        headers: { 'content-type': 'application/json', ...status.headers },
      });
    };
  }
}
