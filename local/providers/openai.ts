import type { HttpBindings } from '@hono/node-server';
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import { Hono, type Context } from 'hono';
import { sleep } from '../support/http.ts';
import { untilClientLeaves } from './hang.ts';
import { writeEmail } from './canned-email.ts';
import type { SeededFailures } from './seeded-failures.ts';
import { RateLimiter, type ProviderEnv } from './request-stats.ts';
import { completion, stream } from './openai-answer.ts';
import { apiError, type Completion, parseCompletion, textOf } from './openai-request.ts';
import type { Settings } from './settings.ts';

type Ctx = Context<ProviderEnv>;

const models = ['openai/gpt-oss-20b', 'openai/gpt-oss-120b', 'llama-3.3-70b-versatile'];
const MISSING_MODEL = 'no-such-model';

const unauthorized = (c: Ctx, key: string | undefined) => {
  const message = key
    ? `Incorrect API key provided: ${key.slice(0, 7)}***. You can find your API key at https://platform.openai.com/account/api-keys.`
    : "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY).";
  const code = key ? 'invalid_api_key' : null;
  return c.json(apiError(message, 'invalid_request_error', null, code), 401);
};

const limited = (c: Ctx): Response =>
  c.json(
    apiError('Rate limit reached for requests', 'requests', null, 'rate_limit_exceeded'),
    429,
    {
      'retry-after': '1',
    },
  );

const broken = (c: Ctx) =>
  c.json(
    apiError(
      'The server had an error while processing your request. Sorry about that!',
      'server_error',
    ),
    500,
  );

const missingModel = (c: Ctx, model: string) => {
  const message = `The model \`${model}\` does not exist or you do not have access to it.`;
  return c.json(apiError(message, 'invalid_request_error', null, 'model_not_found'), 404);
};

/** Cuts a plain answer: the headers promise more bytes than ever come. */
function cutAnswer({ outgoing }: HttpBindings, body: string): void {
  const length = Buffer.byteLength(body);
  outgoing.writeHead(200, { 'content-type': 'application/json', 'content-length': length });
  outgoing.write(body.slice(0, body.length / 2), () => outgoing.destroy());
}

async function answer(c: Ctx, request: Completion, settings: Settings, cut: boolean) {
  const letter = writeEmail(request);
  await sleep(settings.llmFirstByteMs);
  if (!request.stream && !cut) {
    // Without streaming the headers wait for the last word.
    await sleep(settings.llmStreamMs);
    return c.json(completion(request, letter));
  }
  c.var.answered(200);
  if (request.stream)
    await stream(c.env.outgoing, { request, letter, streamMs: settings.llmStreamMs, cut });
  else cutAnswer(c.env, JSON.stringify(completion(request, letter)));
  return RESPONSE_ALREADY_SENT;
}

async function complete(c: Ctx, settings: Settings, seeded: SeededFailures): Promise<Response> {
  const body = await c.req.text();
  const parsed = parseCompletion(body);
  if ('problem' in parsed) return c.json(parsed.problem, 400);
  const { request } = parsed;
  if (request.model === MISSING_MODEL) return missingModel(c, request.model);
  const prompt = request.messages.map(textOf).join('\n');
  const failure = seeded.draw(settings.seed, settings.failureRate, `llm\0${body}`);
  if (prompt.includes('RATE_LLM') || failure === 'rate-limit') return limited(c);
  if (prompt.includes('SLOW_LLM') || failure === 'hang') {
    await untilClientLeaves(c.env.outgoing);
    return RESPONSE_ALREADY_SENT;
  }
  if (prompt.includes('FAIL_LLM') || failure === 'error') {
    await sleep(settings.llmFirstByteMs);
    return broken(c);
  }
  return answer(c, request, settings, prompt.includes('CUT_LLM'));
}

/**
 * OpenAI's `POST /chat/completions` and `GET /models`
 * (https://platform.openai.com/docs/api-reference/chat), streaming and not. Errors have OpenAI's
 * body: 401 without a key (or with one that begins `invalid`), 400 for what it does not know, 404
 * for the model `no-such-model`, 429 with `Retry-After`, 500. Words in any message decide a failure:
 * `FAIL_LLM` 500, `RATE_LLM` 429, `SLOW_LLM` no answer, `CUT_LLM` an answer cut in the middle.
 */
export function openaiRoutes(settings: () => Settings, seeded: SeededFailures): Hono<ProviderEnv> {
  const limiter = new RateLimiter();
  return new Hono<ProviderEnv>()
    .use(async (c, next) => {
      const key = /^Bearer\s+(\S+)\s*$/i.exec(c.req.header('authorization') ?? '')?.[1];
      if (!key || key.startsWith('invalid')) return unauthorized(c, key);
      return next();
    })
    .post('/chat/completions', async (c) => {
      if (!limiter.allow(settings().llmRatePerSecond)) return limited(c);
      return complete(c, settings(), seeded);
    })
    .get('/models', (c) =>
      c.json({
        object: 'list',
        data: models.map((id) => ({ id, object: 'model', created: 1_750_000_000, owned_by: 'x' })),
      }),
    )
    .all('*', (c) =>
      c.json(
        apiError(
          `Unknown request URL: ${c.req.method} ${c.req.path}.`,
          undefined,
          null,
          'unknown_url',
        ),
        404,
      ),
    );
}
