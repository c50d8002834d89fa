import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseEnv } from 'node:util';

/** The root of the repository. */
export const root = join(import.meta.dirname, '../..');

/** Settings by name; what is empty is not set. */
export type Environment = Record<string, string>;

/** Everything the Worker reads, as CONTRACT.md lists it. */
export const settingNames =
  `DATABASE_URL NEON_PROXY_URL STRIPE_SECRET_KEY STRIPE_WEBHOOK_SECRET STRIPE_API_BASE
  STRIPE_AUTOMATIC_TAX STRIPE_TAX_BEHAVIOR STRIPE_TAX_ID_COLLECTION STRIPE_PROMOTION_CODES
  QSTASH_URL QSTASH_TOKEN QSTASH_CURRENT_SIGNING_KEY QSTASH_NEXT_SIGNING_KEY
  UPSTASH_REDIS_REST_URL UPSTASH_REDIS_REST_TOKEN SERPER_API_KEY SERPER_BASE_URL
  LLM_API_KEY LLM_BASE_URL LLM_MODEL AUTH_JWKS_URL AUTH_JWT_SECRET AUTH_ISSUER AUTH_AUDIENCE
  ADMIN_TOKEN PUBLIC_URL APP_URL ALLOWED_ORIGINS SIGNUP_CREDITS CREDITS_PER_ROW CREDIT_RENEWAL
  PARALLEL_INVOCATIONS PARALLEL_ROWS_PER_INVOCATION MAX_ROWS MAX_UPLOAD_BYTES
  RATE_LIMIT_PER_MINUTE RESULT_RETENTION_DAYS WEBHOOK_RETENTION_DAYS SEARCH_REQUESTS_PER_SECOND
  LLM_REQUESTS_PER_MINUTE LLM_TOKENS_PER_MINUTE LLM_PROFILE LLM_MODELS PROVIDER_PATIENCE_MINUTES PRICES
  NOTIFY_LOCAL_HOSTS`.split(/\s+/);

/** The secrets that LLM_MODELS names; the Worker itself tells what is wrong with it. */
function keyNamesOf(models: string | undefined): string[] {
  try {
    const listed = JSON.parse(models ?? '[]') as unknown;
    const entries: unknown[] = Array.isArray(listed) ? listed : [];
    return entries.flatMap((entry) => {
      const { keyName } = Object(entry) as { keyName?: unknown };
      return typeof keyName === 'string' ? [keyName] : [];
    });
  } catch {
    return [];
  }
}

/** The Worker's settings in `.dev.vars` and, winning over it even where empty, the environment. */
export function readEnvironment(folder = root): Environment {
  const file = join(folder, '.dev.vars');
  const saved = existsSync(file) ? parseEnv(readFileSync(file, 'utf8')) : {};
  const both: Record<string, string | undefined> = { ...saved, ...process.env };
  const names = [...settingNames, ...keyNamesOf(both['LLM_MODELS'])];
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = both[name]?.trim();
      return value ? [[name, value]] : [];
    }),
  );
}

/** Which parts the environment names, so that no stand-in is started for them. */
type Named = Record<
  'database' | 'neon' | 'redis' | 'qstash' | 'stripe' | 'search' | 'llm',
  boolean
>;

/** Whether a URL leads to this machine; false too of what is no URL. */
export const isLoopback = (url: string): boolean =>
  URL.canParse(url) && /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(new URL(url).hostname);

/** Parts that make no sense without their keys, unless they too run on this machine. */
const companions: Record<string, string[]> = {
  UPSTASH_REDIS_REST_URL: ['UPSTASH_REDIS_REST_TOKEN'],
  QSTASH_URL: ['QSTASH_TOKEN', 'QSTASH_CURRENT_SIGNING_KEY', 'QSTASH_NEXT_SIGNING_KEY'],
  STRIPE_API_BASE: ['STRIPE_SECRET_KEY'],
  SERPER_BASE_URL: ['SERPER_API_KEY'],
  LLM_BASE_URL: ['LLM_API_KEY', 'LLM_MODEL'],
};

/**
 * Tells which parts are named.
 * @throws Error listing addresses that are no URLs, and services named without their keys.
 */
export function namedParts(env: Environment): Named {
  const problems = ['DATABASE_URL', ...Object.keys(companions)].flatMap((name) => {
    const value = env[name];
    if (value === undefined) return [];
    if (!URL.canParse(value)) return [`${name} is not a URL`];
    const missing = (companions[name] ?? []).filter((key) => !env[key] && !isLoopback(value));
    return missing.map((key) => `${name} is given, so ${key} is needed too`);
  });
  if (problems.length > 0) throw new Error(`Settings: ${problems.join('; ')}.`);
  const database = env['DATABASE_URL'];
  return {
    database: database !== undefined,
    neon:
      env['NEON_PROXY_URL'] !== undefined ||
      (database !== undefined && new URL(database).hostname.endsWith('.neon.tech')),
    redis: 'UPSTASH_REDIS_REST_URL' in env,
    qstash: 'QSTASH_URL' in env,
    stripe: 'STRIPE_API_BASE' in env || 'STRIPE_SECRET_KEY' in env,
    search: 'SERPER_BASE_URL' in env,
    llm: 'LLM_BASE_URL' in env || 'LLM_MODELS' in env,
  };
}
