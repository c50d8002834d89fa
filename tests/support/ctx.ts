import { createCtx, type Ctx } from '../../functions/context.ts';
import { parseEnv } from '../../functions/env.ts';
import type { TestDatabase } from './database.ts';

/** A port nobody listens on: a test that needs the service behind it must start it. */
const nowhere = 'http://127.0.0.1:9';

/** A complete environment for a database; every service that is not named is out of reach. */
export const testEnv = (url: string, neonProxyUrl: string): Record<string, string> => ({
  DATABASE_URL: url,
  NEON_PROXY_URL: neonProxyUrl,
  STRIPE_SECRET_KEY: 'sk_test_nobody',
  STRIPE_WEBHOOK_SECRET: 'whsec_test',
  STRIPE_API_BASE: nowhere,
  QSTASH_URL: nowhere,
  QSTASH_TOKEN: 'token',
  QSTASH_CURRENT_SIGNING_KEY: 'sig_current',
  QSTASH_NEXT_SIGNING_KEY: 'sig_next',
  UPSTASH_REDIS_REST_URL: nowhere,
  UPSTASH_REDIS_REST_TOKEN: 'token',
  SERPER_API_KEY: 'key',
  SERPER_BASE_URL: nowhere,
  LLM_API_KEY: 'key',
  LLM_BASE_URL: nowhere,
  AUTH_JWT_SECRET: 'a-secret-of-at-least-32-characters',
  ADMIN_TOKEN: 'an-operator-token',
  PUBLIC_URL: 'http://127.0.0.1:8787',
  APP_URL: 'http://localhost:3000',
  ALLOWED_ORIGINS: 'http://localhost:3000',
});

/** What a verb is given, on a test's own database; logged lines are kept in `lines`. */
export function testCtx(
  database: TestDatabase,
  env: Record<string, string> = {},
): Ctx & { lines: Record<string, unknown>[] } {
  const config = parseEnv({ ...testEnv(database.url, database.neonProxyUrl), ...env });
  const lines: Record<string, unknown>[] = [];
  return { ...createCtx(config), log: (event, fields) => lines.push({ event, ...fields }), lines };
}
