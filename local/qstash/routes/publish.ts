import type { Engine } from '../engine.ts';
import type { Draft } from '../message.ts';
import { checkQuota, quotas, Refusal } from '../problem.ts';
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
  if (unknown) throw refuse(`unknown field ${unknown}`);
  if (typeof destination !== 'string') throw refuse('destination is missing');
  if (body !== undefined && typeof body !== 'string') throw refuse('body is not a string');
  if (headers !== undefined && !isRecord(headers)) throw refuse('headers is not an object');
  for (const header of Object.values(headers ?? {}))
    if (typeof header !== 'string') throw refuse('a header is not a string');
  return value as Item;
}

function parseBatch(bytes: Buffer, ip: string): Draft[] {
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
  return items.map((value, at) => {
    const { destination, headers, body } = parseItem(value, at);
    const draft: Draft = {
      url: parseDestination(destination),
      settings: parseSettings(Object.entries(headers ?? {})),
      body: Buffer.from(body ?? ''),
      callerIp: ip,
    };
    checkQuota('maxMessageSize', draft.body.length);
    return draft;
  });
}

/**
 * `POST /v2/publish/{url}` → 200 `{messageId}`, 202 with `deduplicated` for a duplicate;
 * `POST /v2/batch` → 200 with one such object per message, in order. One bad message refuses the
 * whole batch (seen in superset-sh/superset #3591).
 */
export const publishRoutes = (engine: Engine) =>
  routes()
    .post('/publish/*', async (c) => {
      const url = destinationAfter(c, '/v2/publish/');
      const settings = parseSettings(c.req.raw.headers);
      const body = await bodyBytes(c);
      const published = engine.publish({ url, settings, body, callerIp: callerIp(c) });
      return c.json(published, published.deduplicated ? 202 : 200);
    })
    .post('/batch', async (c) => {
      const drafts = parseBatch(await bodyBytes(c, maxBatchBytes), callerIp(c));
      return c.json(drafts.map((draft) => engine.publish(draft)));
    });
