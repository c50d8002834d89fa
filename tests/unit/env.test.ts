import { expect, test } from 'vitest';
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

test('rates are positive decimal numbers, or none', () => {
  expect(parseEnv(complete)).toMatchObject({ search: {}, llm: {} });
  expect(parseEnv(complete).llm.ratePerSecond).toBeUndefined();
  const rates = { SEARCH_RATE_PER_SECOND: '50', LLM_RATE_PER_SECOND: '0.5' };
  expect(parseEnv({ ...complete, ...rates })).toMatchObject({
    search: { ratePerSecond: 50 },
    llm: { ratePerSecond: 0.5 },
  });
  for (const wrong of ['0', '0.0', '-1', '1e3', 'many', '', '.5', 'Infinity'])
    expect(problemsOf({ ...complete, LLM_RATE_PER_SECOND: wrong })).toEqual([
      'LLM_RATE_PER_SECOND',
    ]);
});
