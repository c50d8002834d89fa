import type { Engine } from '../engine.ts';
import type { Draft, Published } from '../message.ts';
import { quotas } from '../plan.ts';
import { notPlayed, Refusal, Unsendable } from '../problem.ts';
import { parseDestination, parseSettings } from '../settings.ts';
import { bodyBytes, callerIp, destinationAfter, routes } from './request.ts';

// Bounds of this stand-in: the documentation gives none for a whole batch.
const maxBatchItems = 1_000;
const maxBatchBytes = 6 * quotas.maxMessageSize;

type Item = { destination: string; headers?: Record<string, string>; body?: string };

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function parseItem(value: unknown, at: number): Item {
  const refuse = (why: string) => new Refusal(400, `invalid batch item ${at}: ${why}`);
  if (!isRecord(value)) throw refuse('not an object');
  const { destination, headers, body, ...rest } = value;
  const [unknown] = Object.keys(rest);
  // `queue` is among them: queues are not offered here.
  if (unknown) throw notPlayed(`field ${unknown} of a batch`);
  if (typeof destination !== 'string') throw refuse('destination is missing');
  if (body !== undefined && typeof body !== 'string') throw refuse('body is not a string');
  if (headers !== undefined && !isRecord(headers)) throw refuse('headers is not an object');
  for (const [name, header] of Object.entries(headers ?? {})) {
    if (typeof header !== 'string') throw refuse('a header is not a string');
    if (!/^(?:upstash-|content-type$)/i.test(name)) throw notPlayed(`header ${name}`);
  }
  return value as Item;
}

function parseBatch(bytes: Buffer): Item[] {
  let items: unknown;
  try {
    items = JSON.parse(bytes.toString());
  } catch {
    throw new Refusal(400, 'invalid batch: not JSON');
  }
  if (!Array.isArray(items) || items.length === 0)
    throw new Refusal(400, 'invalid batch: not an array of messages');
  if (items.length > maxBatchItems)
    throw new Refusal(400, `invalid batch: more than ${maxBatchItems} messages`);
  return items.map(parseItem);
}

type Answer = Published | { error: string };

/** `work`, or the error of a message that is well formed and still cannot be sent. */
function orError<T>(work: () => T): T | { error: string } {
  try {
    return work();
  } catch (error) {
    if (error instanceof Unsendable) return { error: error.message };
    throw error;
  }
}

function publishBatch(engine: Engine, items: Item[], ip: string): Answer[] {
  const drafts = items.map(({ destination, headers, body }) =>
    orError((): Draft => {
      const settings = parseSettings(Object.entries(headers ?? {}));
      const url = parseDestination(destination);
      return { url, settings, body: Buffer.from(body ?? ''), callerIp: ip };
    }),
  );
  engine.rateLimits.messages(drafts.length);
  return drafts.map((draft, n) => {
    if ('error' in draft) return draft;
    const { labels = [], deduplicationId = '' } = draft.settings;
    const about = `#${n + 1} ${draft.url} ${deduplicationId} ${labels.join(' ')}`;
    const [fault] = engine.faults.take('message', about);
    if (fault) return { error: typeof fault.body === 'string' ? fault.body : 'internal error' };
    return orError(() => engine.publish(draft));
  });
}

/**
 * `POST /v2/publish/{url}` → 200 `{messageId}`, 202 with `deduplicated` for a duplicate;
 * `POST /v2/batch` → 200 with one such object per message, in order, or `{error}` for one that
 * could not be sent while the others are (https://upstash.com/docs/qstash/features/batch). A
 * malformed header refuses the whole batch (seen in superset-sh/superset #3591).
 */
export const publishRoutes = (engine: Engine) =>
  routes()
    .post('/publish/*', async (c) => {
      const url = destinationAfter(c, '/v2/publish/');
      const settings = parseSettings(c.req.raw.headers);
      const body = await bodyBytes(c);
      engine.rateLimits.messages(1);
      const published = engine.publish({ url, settings, body, callerIp: callerIp(c) });
      return c.json(published, published.deduplicated ? 202 : 200);
    })
    .post('/batch', async (c) => {
      const items = parseBatch(await bodyBytes(c, maxBatchBytes));
      return c.json(publishBatch(engine, items, callerIp(c)));
    });
