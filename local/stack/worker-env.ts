import type { Handles } from './parts.ts';
import type { Secrets } from './secrets.ts';
import { type Environment, isLoopback } from './settings.ts';

const withoutUndefined = (settings: Record<string, string | undefined>): Environment =>
  Object.fromEntries(
    Object.entries(settings).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, value]],
    ),
  );

/**
 * The Worker's settings: what the environment says, completed by the stand-ins' addresses and keys.
 * STRIPE_WEBHOOK_SECRET is added once the endpoint exists.
 */
export function workerEnvironment(
  environment: Environment,
  handles: Handles,
  secrets: Secrets,
  api: string,
): Environment {
  const defaults = {
    DATABASE_URL: handles.postgres?.url,
    NEON_PROXY_URL: handles.neon?.url,
    STRIPE_SECRET_KEY: secrets.stripeSecretKey,
    STRIPE_API_BASE: handles.stripe?.url,
    QSTASH_URL: handles.qstash?.url,
    QSTASH_TOKEN: secrets.qstashToken,
    QSTASH_CURRENT_SIGNING_KEY: secrets.qstashCurrentSigningKey,
    QSTASH_NEXT_SIGNING_KEY: secrets.qstashNextSigningKey,
    UPSTASH_REDIS_REST_URL: handles.redis?.url,
    UPSTASH_REDIS_REST_TOKEN: secrets.redisToken,
    SERPER_API_KEY: 'local',
    SERPER_BASE_URL: handles.providers?.serperUrl,
    LLM_API_KEY: 'local',
    LLM_BASE_URL: handles.providers?.llmUrl,
    LLM_MODEL: 'openai/gpt-oss-120b',
    // With a JWKS the frontend's own tokens count; a secret beside it would be a second way in.
    AUTH_JWT_SECRET: environment['AUTH_JWKS_URL'] ? undefined : secrets.authJwtSecret,
    ADMIN_TOKEN: secrets.adminToken,
    PUBLIC_URL: api,
    APP_URL: 'http://localhost:3000',
    ALLOWED_ORIGINS: 'http://localhost:3000',
    // A job's end can be told to a receiver here, unless the Worker is one that others reach.
    NOTIFY_LOCAL_HOSTS: isLoopback(environment['PUBLIC_URL'] ?? api)
      ? 'localhost,127.0.0.1,[::1]'
      : undefined,
  };
  return { ...withoutUndefined(defaults), ...environment };
}

/** Where each service is, stand-in or real, as the ready line tells it. */
export function serviceUrls(env: Environment, handles: Handles): Record<Service, string> {
  const database = env['DATABASE_URL'] ?? '';
  return {
    postgres: database,
    neon: env['NEON_PROXY_URL'] ?? `https://${new URL(database).hostname}`,
    qstash: env['QSTASH_URL'] ?? '',
    redis: env['UPSTASH_REDIS_REST_URL'] ?? '',
    stripe: env['STRIPE_API_BASE'] ?? 'https://api.stripe.com',
    providers: handles.providers?.url ?? env['LLM_BASE_URL'] ?? '',
  };
}

/** The services of the ready line. */
export type Service = 'postgres' | 'neon' | 'qstash' | 'redis' | 'stripe' | 'providers';
