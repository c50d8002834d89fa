import { Hono, type Context } from 'hono';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import { sleep } from '../support/http.ts';
import { breakConnection, cutAnswer } from './broken-connection.ts';
import { completion, promptTokens, stream, usageOf, writeAnswer } from './openai-answer.ts';
import { errorBody, invalid, knownProblem, type Problem } from './openai-errors.ts';
import { type Completion, models, parseCompletion, readBody } from './openai-request.ts';
import { CompletionLimits } from './rate-limits.ts';
import type { ProviderEnv } from './request-stats.ts';
import type { Script } from './script.ts';
import type { SeededFailures } from './seeded-failures.ts';
import type { Scripted, Settings } from './settings.ts';

/** What the routes of both providers need of the run. */
export type Run = { settings: () => Settings; script: Script; seeded: SeededFailures };
type Call = { c: Context<ProviderEnv>; settings: Settings; limits: CompletionLimits };

/**
 * What a request is held to need of the token limits before it is answered. OpenAI: the larger of the
 * limit on its answer and its own length (its guide on rate limits); Groq: both (its 413 for a large
 * `max_tokens`: zeeyado/koassistant.koplugin#106).
 */
function tokensAskedFor({ profile }: Settings, request: Completion, said: string) {
  const most = request.max_completion_tokens ?? request.max_tokens ?? 0;
  const own = promptTokens(said);
  return profile === 'groq' ? own + most : Math.max(own, most);
}

const headersOf = ({ settings, limits }: Call): Record<string, string> => ({
  'x-request-id': `req_${crypto.randomUUID().replaceAll('-', '')}`,
  ...limits.headers(settings),
});

function refuse(call: Call, problem: Problem, ordered?: number): Response {
  const { profile, llmRetryAfter } = call.settings;
  const usual = (llmRetryAfter ?? profile !== 'openai') ? problem.retryAfterSeconds : undefined;
  const after = ordered ?? usual;
  const headers = after === undefined ? {} : { 'retry-after': String(after) };
  const status = problem.status as ContentfulStatusCode;
  return call.c.json(errorBody(profile, problem), status, { ...headersOf(call), ...headers });
}

const keyOf = ({ c }: Call) =>
  /^Bearer\s+(\S+)\s*$/i.exec(c.req.header('authorization') ?? '')?.[1];

function problemWithKey(call: Call): Problem | undefined {
  const key = keyOf(call);
  if (key && !key.startsWith('invalid')) return undefined;
  return knownProblem(call.settings.profile, key ? 'invalid-key' : 'no-key', { key });
}

/** Plays a failure; undefined: it is none, or one in the answer. */
async function fail(
  call: Call,
  { kind, retryAfterSeconds }: Pick<Scripted, 'kind' | 'retryAfterSeconds'>,
  { model, stream }: { model: string; stream?: unknown },
) {
  const type = stream === true ? 'text/event-stream; charset=utf-8' : undefined;
  const broken = await breakConnection(kind, call.c.env, type);
  if (broken) return broken;
  const of = { model, key: keyOf(call) };
  const problem = knownProblem(call.settings.profile, kind, of);
  if (kind === 'error') await sleep(call.settings.llmFirstByteMs);
  return problem && refuse(call, problem, retryAfterSeconds);
}

async function complete(call: Call, { script, seeded }: Run) {
  const { c, settings, limits } = call;
  const body = await c.req.text();
  const { given, model, said } = readBody(body);
  const entry = script.next('llm', said);
  const failed =
    entry &&
    (await fail(call, entry, {
      model,
      stream: (Object(given) as Record<string, unknown>)['stream'],
    }));
  if (failed) return failed;
  const wrongKey = problemWithKey(call);
  if (wrongKey) return refuse(call, wrongKey);
  const request = parseCompletion(settings.profile, given);
  // What is malformed counts as a request and takes no tokens; OpenAI's own order is not documented.
  const asked = 'status' in request ? 0 : tokensAskedFor(settings, request, said);
  const limited = limits.admit(settings, model, asked);
  if (limited) return refuse(call, limited);
  if ('status' in request) return refuse(call, request);
  const kind = seeded.draw(settings.seed, settings.failureRate, `llm\0${body}`);
  if (kind) limits.giveBack(settings, asked);
  const unlucky = kind && (await fail(call, { kind }, request));
  if (unlucky) return unlucky;
  const answer = writeAnswer(request, settings, entry);
  const exchange = { request, settings, entry, answer };
  // Groq counts used tokens, OpenAI what was asked for.
  if (settings.profile === 'groq')
    limits.giveBack(settings, asked - usageOf(exchange).total_tokens);
  await sleep(settings.llmFirstByteMs);
  const isCut = entry?.kind === 'cut' || entry?.kind === 'unfinished';
  if (request.stream || isCut) c.var.answered(200);
  if (request.stream) return stream(c.env.outgoing, exchange, headersOf(call));
  if (isCut) return cutAnswer(c.env, JSON.stringify(completion(exchange)));
  // Without streaming the headers wait for the last word.
  await sleep(settings.llmStreamMs);
  return c.json(completion(exchange), 200, headersOf(call));
}

/**
 * `POST /chat/completions` and `GET /models` as OpenAI and Groq have them
 * (platform.openai.com/docs/api-reference/chat, console.groq.com/docs/api-reference), streaming and not.
 * 401 without a key or with one that begins `invalid`; what else can happen is in `Settings`.
 */
export function openaiRoutes(run: Run): Hono<ProviderEnv> {
  const limits = new CompletionLimits();
  const callOf = (c: Context<ProviderEnv>) => ({ c, settings: run.settings(), limits });
  return new Hono<ProviderEnv>()
    .post('/chat/completions', (c) => complete(callOf(c), run))
    .get('/models', (c) => {
      const call = callOf(c);
      const problem = problemWithKey(call);
      if (problem) return refuse(call, problem);
      const own = { object: 'model', created: 1_750_000_000, owned_by: 'rowloom' };
      const data = models[call.settings.profile].map((id) => ({ id, ...own }));
      return c.json({ object: 'list', data });
    })
    .all('*', (c) => {
      const message = `Unknown request URL: ${c.req.method} ${c.req.path}.`;
      return refuse(callOf(c), { ...invalid(message, null, 'unknown_url'), status: 404 });
    });
}
