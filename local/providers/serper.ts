import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import { Hono, type Context } from 'hono';
import { sleep } from '../support/http.ts';
import { untilClientLeaves } from './hang.ts';
import type { SeededFailures } from './seeded-failures.ts';
import { RateLimiter, type ProviderEnv } from './request-stats.ts';
import { knowledgeGraphFor, organicFor } from './serper-content.ts';
import type { Settings } from './settings.ts';

type Query = { q: string; num: number; page: number } & Record<string, unknown>;

const MAX_NUM = 100;
const texts = new Set(['q', 'gl', 'hl', 'location', 'tbs', 'type', 'engine']);
const numbers = new Set(['num', 'page']);

const refuse = (
  c: Context<ProviderEnv>,
  statusCode: 400 | 403 | 404 | 429 | 500,
  message: string,
) => c.json({ message, statusCode }, statusCode, statusCode === 429 ? { 'retry-after': '1' } : {});

/** The query, or what Serper would say of it. */
function parse(body: string): Query | string {
  let input: unknown;
  try {
    input = JSON.parse(body);
  } catch {
    return 'Invalid JSON';
  }
  if (typeof input !== 'object' || input === null || Array.isArray(input)) return 'Invalid body';
  const given = input as Record<string, unknown>;
  for (const [key, value] of Object.entries(given)) {
    if (texts.has(key) && typeof value !== 'string') return `${key} must be a string`;
    if (numbers.has(key) && !(Number.isInteger(value) && Number(value) > 0))
      return `${key} must be a positive integer`;
    const known = texts.has(key) || numbers.has(key) || key === 'autocorrect';
    if (!known) return `Unknown parameter: ${key}`;
  }
  const q = given['q'];
  if (typeof q !== 'string' || q.trim() === '') return 'Missing query parameter';
  const num = Number(given['num'] ?? 10);
  if (num > MAX_NUM) return `num must be at most ${MAX_NUM}`;
  return { ...given, q, num, page: Number(given['page'] ?? 1) };
}

/**
 * Serper's `POST /search` (https://serper.dev): `X-API-KEY`, `{q, gl?, hl?, location?, num?, page?,
 * autocorrect?, tbs?}` → `{searchParameters, knowledgeGraph?, organic, relatedSearches, credits}`.
 * Errors are `{message, statusCode}`: 403 without a key (or with one that begins `invalid`), 400 for
 * a bad query, 429, 500. A query that contains `FAIL_SEARCH` is always a 500.
 */
export function serperRoutes(settings: () => Settings, seeded: SeededFailures): Hono<ProviderEnv> {
  const limiter = new RateLimiter();
  return new Hono<ProviderEnv>()
    .post('/search', async (c) => {
      const key = c.req.header('x-api-key')?.trim();
      if (!key || key.startsWith('invalid')) return refuse(c, 403, 'Unauthorized.');
      const { seed, failureRate, searchLatencyMs, searchRatePerSecond } = settings();
      if (!limiter.allow(searchRatePerSecond)) return refuse(c, 429, 'Too many requests.');
      const body = await c.req.text();
      const query = parse(body);
      if (typeof query === 'string') return refuse(c, 400, query);
      const failure = seeded.draw(seed, failureRate, `search\0${body}`);
      if (failure === 'hang') {
        await untilClientLeaves(c.env.outgoing);
        return RESPONSE_ALREADY_SENT;
      }
      await sleep(searchLatencyMs);
      if (failure === 'rate-limit') return refuse(c, 429, 'Too many requests.');
      if (failure === 'error' || query.q.includes('FAIL_SEARCH'))
        return refuse(c, 500, 'Internal server error');
      return c.json(answer(query));
    })
    .all('*', (c) => refuse(c, 404, 'Not found.'));
}

function answer(query: Query) {
  const { q, num, page, ...rest } = query;
  const knowledgeGraph = page === 1 ? knowledgeGraphFor(q) : undefined;
  return {
    searchParameters: { q, type: 'search', ...rest, num, page, engine: 'google' },
    ...(knowledgeGraph ? { knowledgeGraph } : {}),
    organic: organicFor(q, num, page),
    relatedSearches: [{ query: `${q} news` }, { query: `${q} reviews` }],
    // Serper charges a second credit for more than ten results.
    credits: num > 10 ? 2 : 1,
  };
}
