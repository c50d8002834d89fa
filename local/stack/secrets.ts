import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SignJWT } from 'jose';
import type { Environment } from './settings.ts';

/** The keys of a local stack. */
export type Secrets = {
  stripeSecretKey: string;
  /** Of the webhook endpoint at `stripeWebhookUrl`; known once that exists. */
  stripeWebhookSecret: string;
  stripeWebhookUrl: string;
  qstashToken: string;
  qstashCurrentSigningKey: string;
  qstashNextSigningKey: string;
  redisToken: string;
  adminToken: string;
  authJwtSecret: string;
};

const fileIn = (directory: string): string => join(directory, 'secrets.json');
const random = (prefix: string): string => prefix + randomBytes(24).toString('base64url');

/** What an earlier run kept in `directory`. */
export function keptSecrets(directory: string): Partial<Secrets> {
  const file = fileIn(directory);
  if (!existsSync(file)) return {};
  return JSON.parse(readFileSync(file, 'utf8')) as Partial<Secrets>;
}

/** Keeps the secrets for the next run, readable by their owner only. */
export async function keepSecrets(directory: string, secrets: Secrets): Promise<void> {
  const draft = `${fileIn(directory)}.new`;
  await writeFile(draft, `${JSON.stringify(secrets, undefined, 2)}\n`, { mode: 0o600 });
  await rename(draft, fileIn(directory));
}

/** The secrets of a run: given ones, then those kept from before, then new ones. */
export function secretsFor(env: Environment, kept: Partial<Secrets>): Secrets {
  const choose = (name: string, key: keyof Secrets, prefix: string): string =>
    env[name] ?? kept[key] ?? random(prefix);
  return {
    stripeSecretKey: choose('STRIPE_SECRET_KEY', 'stripeSecretKey', 'sk_test_'),
    stripeWebhookSecret: env['STRIPE_WEBHOOK_SECRET'] ?? kept.stripeWebhookSecret ?? '',
    stripeWebhookUrl: kept.stripeWebhookUrl ?? '',
    qstashToken: choose('QSTASH_TOKEN', 'qstashToken', 'qstash_'),
    qstashCurrentSigningKey: choose(
      'QSTASH_CURRENT_SIGNING_KEY',
      'qstashCurrentSigningKey',
      'sig_',
    ),
    qstashNextSigningKey: choose('QSTASH_NEXT_SIGNING_KEY', 'qstashNextSigningKey', 'sig_'),
    redisToken: choose('UPSTASH_REDIS_REST_TOKEN', 'redisToken', 'redis_'),
    adminToken: choose('ADMIN_TOKEN', 'adminToken', 'admin_'),
    authJwtSecret: choose('AUTH_JWT_SECRET', 'authJwtSecret', 'jwt_'),
  };
}

/** Who a token is for; `issuer` and `audience` as the Worker was told to expect them. */
type TokenInput = {
  secret: string;
  sub: string;
  email: string;
  verified?: boolean | undefined;
  issuer?: string | undefined;
  audience?: string | undefined;
};

/** A user token (HS256) as the frontend's sign-in would issue it, good for 24 hours. */
export async function signToken(input: TokenInput): Promise<string> {
  const jwt = new SignJWT({ email: input.email, email_verified: input.verified ?? true })
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
    .setSubject(input.sub)
    .setIssuedAt()
    .setExpirationTime('24h');
  if (input.issuer) jwt.setIssuer(input.issuer);
  if (input.audience) jwt.setAudience(input.audience);
  return jwt.sign(new TextEncoder().encode(input.secret));
}
