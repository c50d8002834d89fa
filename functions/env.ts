import * as z from 'zod';
import * as fields from './env/fields.ts';
import { boundSettings, boundsOf } from './env/bounds.ts';
import { localHosts } from './env/local-hosts.ts';
import { modelContradictions, modelSettings, modelsOf } from './env/models.ts';
import { pricesOf, priceSettings } from './env/prices.ts';

export type { ModelConfig, Profile } from './env/models.ts';
export type { Prices } from './env/prices.ts';

/** Everything the Worker is told from outside, parsed once; see docs in README's table. */
export type Config = ReturnType<typeof shape>;

/** One environment variable that is missing or malformed; never its value. */
export type ConfigProblem = { name: string; problem: string };

export class ConfigError extends Error {
  readonly problems: ConfigProblem[];
  constructor(problems: ConfigProblem[]) {
    super(`Configuration: ${problems.map((p) => `${p.name} ${p.problem}`).join('; ')}`);
    this.problems = problems;
  }
}

const { count, flag, optional, protocolOf, required, url } = fields;

/** What our checkout asks of Stripe, and `stripe:setup` prepares. */
const checkoutSettings = {
  STRIPE_AUTOMATIC_TAX: flag,
  STRIPE_TAX_BEHAVIOR: z
    .enum(['exclusive', 'inclusive'], 'is neither exclusive nor inclusive')
    .default('exclusive'),
  STRIPE_TAX_ID_COLLECTION: flag,
  STRIPE_PROMOTION_CODES: flag,
};

const schema = z.object({
  DATABASE_URL: required.refine(
    (value) => /^postgres(ql)?:$/.test(protocolOf(value)),
    'is not a postgres:// URL',
  ),
  NEON_PROXY_URL: url.optional(),
  STRIPE_SECRET_KEY: required,
  STRIPE_WEBHOOK_SECRET: required,
  STRIPE_API_BASE: url.optional(),
  ...checkoutSettings,
  QSTASH_URL: url,
  QSTASH_TOKEN: required,
  QSTASH_CURRENT_SIGNING_KEY: required,
  QSTASH_NEXT_SIGNING_KEY: required,
  UPSTASH_REDIS_REST_URL: url,
  UPSTASH_REDIS_REST_TOKEN: required,
  SERPER_API_KEY: required,
  SERPER_BASE_URL: url.default('https://google.serper.dev'),
  SEARCH_REQUESTS_PER_SECOND: fields.positiveDecimal.optional(),
  ...modelSettings,
  PROVIDER_PATIENCE_MINUTES: fields.positiveDecimal.default(60),
  ...priceSettings,
  AUTH_JWKS_URL: url.optional(),
  AUTH_JWT_SECRET: z.string().min(32, 'is shorter than 32 characters').optional(),
  AUTH_ISSUER: optional,
  AUTH_AUDIENCE: optional,
  ADMIN_TOKEN: required.min(16, 'is shorter than 16 characters'),
  PUBLIC_URL: url,
  APP_URL: url,
  ALLOWED_ORIGINS: required
    .transform(listOf)
    .pipe(z.array(z.string().refine(isOrigin, 'is not a list of origins'))),
  SIGNUP_CREDITS: count(500),
  CREDITS_PER_ROW: count(1, 0, 1000),
  CREDIT_RENEWAL: z
    .enum(['reset-all', 'keep-purchased'], 'is neither reset-all nor keep-purchased')
    .default('reset-all'),
  FREE_CREDITS_PER_MONTH: count(0),
  PAST_DUE_GRACE_DAYS: count(7, 0, 365),
  PARALLEL_INVOCATIONS: count(100, 1, 1000),
  PARALLEL_ROWS_PER_INVOCATION: count(20, 1, 100),
  MAX_ROWS: count(100_000, 1, 1_000_000),
  MAX_UPLOAD_BYTES: count(104_857_600, 1),
  RESULT_RETENTION_DAYS: count(30, 1, 3650),
  WEBHOOK_RETENTION_DAYS: count(30, 1, 3650),
  RATE_LIMIT_PER_MINUTE: count(1200, 1),
  NOTIFY_LOCAL_HOSTS: localHosts,
  ...boundSettings,
});

function listOf(value: string): string[] {
  return value
    .split(',')
    .map((item) => item.trim().replace(/\/$/, ''))
    .filter((item) => item !== '');
}

function isOrigin(value: string): boolean {
  return URL.canParse(value) && new URL(value).origin === value;
}

const isLoopback = (value: string): boolean =>
  /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(new URL(value).hostname);

/** Rules over several values. A deployed Worker that redirects to localhost is a known failure. */
function contradictions(
  given: Record<string, string>,
  env: Record<string, unknown>,
): ConfigProblem[] {
  const problems: ConfigProblem[] = modelContradictions(given, env);
  const { PUBLIC_URL: publicUrl, APP_URL: appUrl } = given;
  if (!given['AUTH_JWKS_URL'] && !given['AUTH_JWT_SECRET'])
    problems.push({ name: 'AUTH_JWKS_URL', problem: 'is missing (or set AUTH_JWT_SECRET)' });
  const areUrls = URL.canParse(publicUrl ?? '') && URL.canParse(appUrl ?? '');
  if (areUrls && !isLoopback(publicUrl ?? '') && isLoopback(appUrl ?? ''))
    problems.push({ name: 'APP_URL', problem: 'is a loopback address while PUBLIC_URL is public' });
  if (given['NOTIFY_LOCAL_HOSTS'] && URL.canParse(publicUrl ?? '') && !isLoopback(publicUrl ?? ''))
    problems.push({
      name: 'NOTIFY_LOCAL_HOSTS',
      problem: 'is for development: PUBLIC_URL is public',
    });
  return problems;
}

const checkoutShape = z.object(checkoutSettings);

const checkoutOf = (env: z.infer<typeof checkoutShape>) => ({
  automaticTax: env.STRIPE_AUTOMATIC_TAX,
  /** Whether prices hold their tax or it comes on top. */
  taxBehavior: env.STRIPE_TAX_BEHAVIOR,
  taxIdCollection: env.STRIPE_TAX_ID_COLLECTION,
  promotionCodes: env.STRIPE_PROMOTION_CODES,
});
export type CheckoutSettings = ReturnType<typeof checkoutOf>;

const problemsOf = (error: z.ZodError | undefined): ConfigProblem[] =>
  (error?.issues ?? []).map((issue) => ({ name: String(issue.path[0]), problem: issue.message }));

const givenOf = (env: Record<string, unknown>, names: string[]): Record<string, string> =>
  Object.fromEntries(
    names.flatMap((name) => {
      const value = env[name];
      // wrangler gives a table or a list of wrangler.toml as what it is.
      if (typeof value === 'object' && value !== null) return [[name, JSON.stringify(value)]];
      return typeof value === 'string' ? [[name, value]] : [];
    }),
  );

/** The settings of checkout alone, for `stripe:setup`; throws a `ConfigError`. */
export function parseCheckoutSettings(env: Record<string, unknown>): CheckoutSettings {
  const parsed = checkoutShape.safeParse(givenOf(env, Object.keys(checkoutSettings)));
  if (!parsed.success) throw new ConfigError(problemsOf(parsed.error));
  return checkoutOf(parsed.data);
}

function shape(env: z.infer<typeof schema>, given: Record<string, unknown>) {
  const trim = fields.withoutEndSlash;
  return {
    database: { url: env.DATABASE_URL, proxyUrl: env.NEON_PROXY_URL },
    stripe: {
      secretKey: env.STRIPE_SECRET_KEY,
      webhookSecret: env.STRIPE_WEBHOOK_SECRET,
      apiBase: env.STRIPE_API_BASE,
    },
    checkout: checkoutOf(env),
    qstash: {
      url: trim(env.QSTASH_URL),
      token: env.QSTASH_TOKEN,
      currentSigningKey: env.QSTASH_CURRENT_SIGNING_KEY,
      nextSigningKey: env.QSTASH_NEXT_SIGNING_KEY,
    },
    redis: { url: trim(env.UPSTASH_REDIS_REST_URL), token: env.UPSTASH_REDIS_REST_TOKEN },
    search: {
      apiKey: env.SERPER_API_KEY,
      baseUrl: trim(env.SERPER_BASE_URL),
      requestsPerSecond: env.SEARCH_REQUESTS_PER_SECOND,
    },
    models: modelsOf(env, given),
    /** How long providers that are away are waited for before rows fail. */
    providerPatienceMs: env.PROVIDER_PATIENCE_MINUTES * 60_000,
    prices: pricesOf(env),
    auth: {
      jwksUrl: env.AUTH_JWKS_URL,
      jwtSecret: env.AUTH_JWT_SECRET,
      issuer: env.AUTH_ISSUER,
      audience: env.AUTH_AUDIENCE,
    },
    adminToken: env.ADMIN_TOKEN,
    publicUrl: trim(env.PUBLIC_URL),
    appUrl: trim(env.APP_URL),
    allowedOrigins: env.ALLOWED_ORIGINS,
    signupCredits: env.SIGNUP_CREDITS,
    creditsPerRow: env.CREDITS_PER_ROW,
    creditRenewal: env.CREDIT_RENEWAL,
    freeCreditsPerMonth: env.FREE_CREDITS_PER_MONTH,
    pastDueGraceDays: env.PAST_DUE_GRACE_DAYS,
    parallelInvocations: env.PARALLEL_INVOCATIONS,
    parallelRowsPerInvocation: env.PARALLEL_ROWS_PER_INVOCATION,
    maxRows: env.MAX_ROWS,
    maxUploadBytes: env.MAX_UPLOAD_BYTES,
    resultRetentionDays: env.RESULT_RETENTION_DAYS,
    webhookRetentionDays: env.WEBHOOK_RETENTION_DAYS,
    rateLimitPerMinute: env.RATE_LIMIT_PER_MINUTE,
    /** Hosts that may be told of a job's end though they are private or without TLS. */
    notifyLocalHosts: env.NOTIFY_LOCAL_HOSTS,
    bounds: boundsOf(env),
  };
}

/** Parses the environment; throws a `ConfigError` that lists every problem by name. */
export function parseEnv(env: Record<string, unknown>): Config {
  const given = givenOf(env, Object.keys(schema.shape));
  const parsed = schema.safeParse(given);
  const problems = [...problemsOf(parsed.error), ...contradictions(given, env)];
  if (!parsed.success || problems.length > 0) throw new ConfigError(problems);
  return shape(parsed.data, env);
}
