import { Hono, type Context } from 'hono';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import { z } from 'zod';
import { sleep } from '../support/http.ts';
import { breakConnection, cutAnswer } from './broken-connection.ts';
import known from './errors.json' with { type: 'json' };
import { readBody } from './openai-request.ts';
import type { Run } from './openai.ts';
import { Bucket } from './rate-limits.ts';
import type { ProviderEnv } from './request-stats.ts';
import { factsOf, knowledgeGraphFor, organicFor } from './serper-content.ts';
import type { Scripted } from './settings.ts';

const text = z.string().optional();
const schema = z.strictObject({
  q: z.string().trim().min(1),
  gl: text,
  hl: text,
  location: text,
  tbs: text,
  autocorrect: z.boolean().optional(),
  num: z.int().min(1).max(100).default(10),
  page: z.int().min(1).default(1),
});
type Query = z.infer<typeof schema>;
const problems: Record<string, { status: number; message: string }> = known.serper;

/** Serper sends no headers about its limits, no Retry-After either, unless the script names one. */
function refuse(c: Context<ProviderEnv>, statusCode: number, message: string, after?: number) {
  const headers = after === undefined ? {} : { 'retry-after': String(after) };
  return c.json({ message, statusCode }, statusCode as ContentfulStatusCode, headers);
}

/** Plays a failure; undefined: it is none, or one in the answer. */
async function fail(c: Context<ProviderEnv>, kind: Scripted['kind'], retryAfterSeconds?: number) {
  const broken = await breakConnection(kind, c.env);
  if (broken) return broken;
  const problem = problems[kind];
  return problem && refuse(c, problem.status, problem.message, retryAfterSeconds);
}

/** The query, or what Serper would say of it. Its words for a bad query are unverified. */
function parse(body: string): Query | string {
  const { given } = readBody(body);
  if (typeof given !== 'object' || given === null || Array.isArray(given)) return 'Invalid JSON';
  const { data, error } = schema.safeParse(given);
  const [issue] = error?.issues ?? [];
  if (issue?.code === 'unrecognized_keys') return `Unknown parameter: ${issue.keys.join(', ')}`;
  if (issue?.path[0] === 'q') return 'Missing query parameter';
  return data ?? `Invalid ${issue?.path.join('.')}`;
}

/**
 * Serper's `POST /search` (https://serper.dev): `X-API-KEY`, `{q, gl?, hl?, location?, num?, page?,
 * autocorrect?, tbs?}` → `{searchParameters, knowledgeGraph?, organic, peopleAlsoAsk, relatedSearches,
 * credits}`. Errors are `{message, statusCode}`: 403 without a key or with one that begins `invalid`,
 * 400 for a bad query, 429; what else can happen is in `Settings`.
 */
export function serperRoutes({ settings, script, seeded }: Run): Hono<ProviderEnv> {
  const bucket = new Bucket();
  return new Hono<ProviderEnv>()
    .post('/search', async (c) => {
      const { seed, failureRate, searchLatencyMs, searchRatePerSecond: rate } = settings();
      const body = await c.req.text();
      const query = parse(body);
      const entry = script.next('search', typeof query === 'string' ? body : query.q);
      const key = c.req.header('x-api-key')?.trim();
      if (!entry && (!key || key.startsWith('invalid'))) return fail(c, 'invalid-key');
      if (!entry && rate !== null && bucket.level(rate, 1000) < 1) return fail(c, 'rate-limit');
      bucket.take(1);
      const kind = entry?.kind ?? seeded.draw(seed, failureRate, `search\0${body}`);
      if (kind === undefined || kind === 'error' || kind === 'cut') await sleep(searchLatencyMs);
      const failed = kind && (await fail(c, kind, entry?.retryAfterSeconds));
      if (failed) return failed;
      if (typeof query === 'string') return refuse(c, 400, query);
      if (kind !== 'cut') return c.json(answer(query));
      c.var.answered(200);
      return cutAnswer(c.env, JSON.stringify(answer(query)));
    })
    .all('*', (c) => refuse(c, 404, 'Not found.'));
}

function answer(query: Query) {
  const { q, num, page, ...rest } = query;
  const facts = factsOf(q);
  const organic = organicFor(facts, num, page);
  return {
    searchParameters: { q, type: 'search', ...rest, num, page, engine: 'google' },
    ...(facts.looksLikeCompany && page === 1 ? { knowledgeGraph: knowledgeGraphFor(facts) } : {}),
    organic,
    peopleAlsoAsk: organic.slice(0, 1).map(({ title, link, snippet }) => {
      return { question: `What is known of ${facts.name}?`, snippet, title, link };
    }),
    relatedSearches: [{ query: `${q} news` }, { query: `${q} reviews` }],
    // Serper charges a second credit for more than ten results.
    credits: num > 10 ? 2 : 1,
  };
}
