import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { ConfigError, parseCheckoutSettings, parseEnv } from '../../functions/env.ts';

const complete = {
  DATABASE_URL: 'postgres://u:p@db.example/rowloom',
  STRIPE_SECRET_KEY: 'sk_test_x',
  STRIPE_WEBHOOK_SECRET: 'whsec_x',
  QSTASH_URL: 'https://qstash.example',
  QSTASH_TOKEN: 't',
  QSTASH_CURRENT_SIGNING_KEY: 'a',
  QSTASH_NEXT_SIGNING_KEY: 'b',
  UPSTASH_REDIS_REST_URL: 'https://redis.example',
  UPSTASH_REDIS_REST_TOKEN: 't',
  SERPER_API_KEY: 's',
  LLM_API_KEY: 'l',
  AUTH_JWT_SECRET: 'x'.repeat(32),
  ADMIN_TOKEN: 'y'.repeat(16),
  PUBLIC_URL: 'https://api.example',
  APP_URL: 'https://app.example/',
  ALLOWED_ORIGINS: 'https://app.example, https://beta.example',
};

function problemsOf(env: Record<string, unknown>): string[] {
  try {
    parseEnv(env);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.map((problem) => problem.name);
  }
}

test('defaults are those of the contract', () => {
  expect(parseEnv(complete)).toMatchObject({
    signupCredits: 500,
    creditsPerRow: 1,
    creditRenewal: 'reset-all',
    parallelInvocations: 100,
    parallelRowsPerInvocation: 20,
    maxRows: 100_000,
    maxUploadBytes: 104_857_600,
    appUrl: 'https://app.example',
    allowedOrigins: ['https://app.example', 'https://beta.example'],
  });
});

test('checkout does nothing more than it is told to', () => {
  const plain = {
    automaticTax: false,
    taxBehavior: 'exclusive',
    taxIdCollection: false,
    promotionCodes: false,
  };
  expect(parseEnv(complete).checkout).toEqual(plain);
  const asked = {
    STRIPE_AUTOMATIC_TAX: 'true',
    STRIPE_TAX_BEHAVIOR: 'inclusive',
    STRIPE_TAX_ID_COLLECTION: 'true',
    STRIPE_PROMOTION_CODES: 'true',
  };
  const all = {
    automaticTax: true,
    taxBehavior: 'inclusive',
    taxIdCollection: true,
    promotionCodes: true,
  };
  expect(parseEnv({ ...complete, ...asked }).checkout).toEqual(all);
  expect(parseCheckoutSettings({ ...asked, PATH: '/bin' })).toEqual(all);
  expect(parseCheckoutSettings({})).toEqual(plain);
  const odd = { STRIPE_AUTOMATIC_TAX: 'yes', STRIPE_TAX_BEHAVIOR: 'both' };
  expect(problemsOf({ ...complete, ...odd })).toEqual(Object.keys(odd));
  expect(() => parseCheckoutSettings(odd)).toThrow(
    'STRIPE_AUTOMATIC_TAX is neither true nor false; STRIPE_TAX_BEHAVIOR is neither exclusive nor inclusive',
  );
});

test('every problem is listed at once, by name', () => {
  const { DATABASE_URL: _, STRIPE_SECRET_KEY: __, ...rest } = complete;
  expect(problemsOf({ ...rest, SIGNUP_CREDITS: 'many', PUBLIC_URL: 'nowhere' }).toSorted()).toEqual(
    ['DATABASE_URL', 'PUBLIC_URL', 'SIGNUP_CREDITS', 'STRIPE_SECRET_KEY'],
  );
});

test('a value never shows in the message', () => {
  try {
    parseEnv({ ...complete, DATABASE_URL: 'mysql://secret-password@db', CREDIT_RENEWAL: 'hush' });
    expect.unreachable();
  } catch (error) {
    expect(String(error)).not.toMatch(/secret-password|hush/);
  }
});

test('a public Worker does not redirect to localhost', () => {
  expect(problemsOf({ ...complete, APP_URL: 'http://localhost:3000' })).toEqual(['APP_URL']);
});

test('someone must be able to sign in', () => {
  const { AUTH_JWT_SECRET: _, ...rest } = complete;
  expect(problemsOf(rest)).toEqual(['AUTH_JWKS_URL']);
});

test('limits and the patience are positive decimal numbers; limits may be unset', () => {
  expect(parseEnv(complete)).toMatchObject({
    search: { requestsPerSecond: undefined },
    models: [{ requestsPerMinute: undefined, tokensPerMinute: undefined }],
    providerPatienceMs: 3_600_000,
  });
  const limits = {
    SEARCH_REQUESTS_PER_SECOND: '50',
    LLM_REQUESTS_PER_MINUTE: '0.5',
    LLM_TOKENS_PER_MINUTE: '300000',
    PROVIDER_PATIENCE_MINUTES: '0.05',
  };
  expect(parseEnv({ ...complete, ...limits })).toMatchObject({
    search: { requestsPerSecond: 50 },
    models: [{ requestsPerMinute: 0.5, tokensPerMinute: 300_000 }],
    providerPatienceMs: 3000,
  });
  for (const name of Object.keys(limits))
    for (const wrong of ['0', '0.0', '-1', '1e3', 'many', '', '.5', 'Infinity'])
      expect(problemsOf({ ...complete, [name]: wrong })).toEqual([name]);
});

describe('models', () => {
  const groq = {
    name: 'main',
    baseUrl: 'https://api.groq.com/openai/v1/',
    model: 'openai/gpt-oss-120b',
    keyName: 'GROQ_KEY',
    requestsPerMinute: 1000,
    tokensPerMinute: 300_000,
  };
  const spare = {
    name: 'spare',
    baseUrl: 'https://api.openai.com/v1',
    model: 'gpt-5-mini',
    keyName: 'SPARE_KEY',
  };
  const keys = { GROQ_KEY: 'gsk_1', SPARE_KEY: 'sk-2' };
  const withModels = (...models: object[]) => ({
    ...complete,
    ...keys,
    LLM_MODELS: JSON.stringify(models),
  });
  const messageOf = (env: Record<string, unknown>): string => {
    try {
      parseEnv(env);
      return '';
    } catch (error) {
      return String(error);
    }
  };

  test('there is one, called llm, of LLM_* alone', () => {
    expect(parseEnv(complete).models).toEqual([
      {
        name: 'llm',
        apiKey: 'l',
        baseUrl: 'https://api.groq.com/openai/v1',
        model: 'openai/gpt-oss-120b',
        profile: 'groq',
        requestsPerMinute: undefined,
        tokensPerMinute: undefined,
      },
    ]);
  });

  test('LLM_MODELS names several, in order, each with a secret; LLM_API_KEY is then not needed', () => {
    const { LLM_API_KEY: _, ...env } = withModels(groq, { ...spare, profile: 'plain' });
    expect(parseEnv(env).models).toMatchObject([
      { name: 'main', apiKey: 'gsk_1', profile: 'groq', baseUrl: 'https://api.groq.com/openai/v1' },
      { name: 'spare', apiKey: 'sk-2', profile: 'plain', requestsPerMinute: undefined },
    ]);
    // As a table of wrangler.toml comes.
    expect(parseEnv({ ...complete, ...keys, LLM_MODELS: [groq] }).models).toHaveLength(1);
  });

  test.each([
    ['https://api.openai.com/v1', 'openai'],
    ['https://api.groq.com/openai/v1', 'groq'],
    ['https://api.openai.com.example/v1', 'plain'],
    ['http://127.0.0.1:9/openai/v1', 'plain'],
  ])('the profile of %s is %s unless LLM_PROFILE says another', (LLM_BASE_URL, profile) => {
    expect(parseEnv({ ...complete, LLM_BASE_URL }).models[0].profile).toBe(profile);
    const env = { ...complete, LLM_BASE_URL, LLM_PROFILE: 'groq' };
    expect(parseEnv(env).models[0].profile).toBe('groq');
  });

  test('what is wrong is told by the name of the setting, never by a value', () => {
    const without = { ...complete, LLM_API_KEY: undefined };
    expect(problemsOf(without)).toEqual(['LLM_API_KEY']);
    expect(problemsOf({ ...complete, LLM_PROFILE: 'azure' })).toEqual(['LLM_PROFILE']);
    for (const [models, problem] of [
      ['{sk-secret', 'is not JSON'],
      ['{"sk-secret":1}', 'is not a list of models'],
      ['[]', 'is an empty list'],
      ['["sk-secret"]', '[0] is not a model'],
    ] as const) {
      const message = messageOf({ ...complete, LLM_MODELS: models });
      expect(message).toContain(`LLM_MODELS ${problem}`);
      expect(message).not.toContain('secret');
    }
    for (const [wrong, problem] of [
      [{ keyName: 'sk-secret' }, '[1].keyName is not the name of a secret'],
      [{ keyName: 'SECRET_ABSENT' }, '[1].keyName names no secret that is set'],
      [{ baseUrl: 'ftp://secret' }, '[1].baseUrl is not an http(s) URL'],
      [{ name: 'main' }, 'has two models of one name'],
      [{ name: 'search' }, 'has a model named search'],
      [{ name: '' }, '[1].name is not a short name'],
      [{ model: undefined }, '[1].model is missing'],
      [{ requestsPerMinute: 0 }, '[1].requestsPerMinute is not positive'],
      [{ tokensPerMinute: '9' }, '[1].tokensPerMinute is not a number'],
      [{ profile: 'azure' }, '[1].profile is not openai, groq or plain'],
      [{ apiKey: 'sk-secret' }, '[1] is not a model of known fields'],
    ] as const) {
      const message = messageOf(withModels(groq, { ...spare, ...wrong }));
      expect(message).toContain(`LLM_MODELS ${problem}`);
      expect(message).not.toMatch(/secret-|sk-|SECRET|azure/);
    }
  });

  test('a limit of the one model beside LLM_MODELS is no limit: it is refused', () => {
    const idle = { LLM_REQUESTS_PER_MINUTE: '60', LLM_TOKENS_PER_MINUTE: '1', LLM_PROFILE: 'groq' };
    expect(problemsOf({ ...withModels(groq), ...idle }).toSorted()).toEqual(
      Object.keys(idle).toSorted(),
    );
  });
});

test('prices are list prices where PRICES says nothing', () => {
  expect(parseEnv(complete).prices).toMatchObject({
    search: 1,
    queue: 1,
    models: { 'openai/gpt-oss-120b': { in: 0.15, out: 0.6 } },
  });
  const PRICES = JSON.stringify({ search: 0.3, models: { mine: { in: 0, out: 2 } } });
  expect(parseEnv({ ...complete, PRICES }).prices).toMatchObject({
    search: 0.3,
    queue: 1,
    models: { 'openai/gpt-oss-120b': { in: 0.15, out: 0.6 }, mine: { in: 0, out: 2 } },
  });
  for (const wrong of [
    '{',
    '[]',
    '{"search":-1}',
    '{"serper":1}',
    '{"models":{"secret":{"in":1}}}',
    '{"models":{"m":{"in":"1","out":1}}}',
  ]) {
    expect(problemsOf({ ...complete, PRICES: wrong })).toEqual(['PRICES']);
    expect(() => parseEnv({ ...complete, PRICES: wrong })).not.toThrow(/secret/);
  }
});

test("the README's two models and prices are a configuration", async () => {
  const text = await readFile(new URL('../../README.md', import.meta.url), 'utf8');
  const [, LLM_MODELS = '', PRICES = ''] =
    /LLM_MODELS='([^']+)'\nPRICES='([^']+)'/.exec(text) ?? [];
  const keys = { GROQ_KEY: 'groq-key', OPENAI_KEY: 'openai-key' };
  const { models, prices } = parseEnv({ ...complete, ...keys, LLM_MODELS, PRICES });
  expect(models.map(({ apiKey, profile }) => [apiKey, profile])).toEqual([
    ['groq-key', 'groq'],
    ['openai-key', 'openai'],
  ]);
  expect(prices).toMatchObject({ search: 0.3, models: { groq: { in: 0.15 }, openai: { out: 2 } } });
});

test('hosts for development are listed with or without ports, and refused where the Worker is public', () => {
  const PUBLIC_URL = 'http://127.0.0.1:8787';
  const hosts = (NOTIFY_LOCAL_HOSTS: string) =>
    parseEnv({ ...complete, PUBLIC_URL, NOTIFY_LOCAL_HOSTS }).notifyLocalHosts;
  expect(parseEnv(complete).notifyLocalHosts).toEqual([]);
  expect(hosts('')).toEqual([]);
  expect(hosts(' 127.0.0.1:4000, Receiver,[::1]:9 ')).toEqual([
    '127.0.0.1:4000',
    'receiver',
    '[::1]:9',
  ]);
  for (const wrong of ['http://a', 'a/b', 'a:b', '*', 'a b'])
    expect(problemsOf({ ...complete, PUBLIC_URL, NOTIFY_LOCAL_HOSTS: wrong }), wrong).toEqual([
      'NOTIFY_LOCAL_HOSTS',
    ]);
  expect(problemsOf({ ...complete, NOTIFY_LOCAL_HOSTS: 'receiver' })).toEqual([
    'NOTIFY_LOCAL_HOSTS',
  ]);
});
