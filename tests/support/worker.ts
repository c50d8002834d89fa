import { randomUUID } from 'node:crypto';
import { startProviders } from '../../local/providers/index.ts';
import { startQstash } from '../../local/qstash/index.ts';
import { startRedis } from '../../local/redis/index.ts';
import { Closers } from '../../local/stack/closers.ts';
import { freePort } from '../../local/stack/ports.ts';
import { setUpStripe } from '../../local/stack/stripe-setup.ts';
import { buildWorker, startWorker, type WorkerHost } from '../../local/worker-host.ts';
import { type CheckedStripe, startCheckedStripe } from './checked-stripe.ts';
import { createDatabase, type TestDatabase } from './database.ts';
import { WorkerClient } from './worker-client.ts';
import { listPrices } from './worker-prices.ts';

/** The secrets of every rig: whatever the Worker says, none of these may stand in it. */
export const rigSecrets = {
  STRIPE_SECRET_KEY: 'sk_test_rig-secret-key',
  STRIPE_WEBHOOK_SECRET: 'whsec_rig-webhook-secret',
  QSTASH_TOKEN: 'rig-qstash-token',
  QSTASH_CURRENT_SIGNING_KEY: 'sig_rig-current-key',
  QSTASH_NEXT_SIGNING_KEY: 'sig_rig-next-key',
  UPSTASH_REDIS_REST_TOKEN: 'rig-redis-token',
  SERPER_API_KEY: 'rig-serper-key',
  LLM_API_KEY: 'rig-llm-key',
  AUTH_JWT_SECRET: 'rig-jwt-secret-of-at-least-32-characters',
  ADMIN_TOKEN: 'rig-operator-token',
};

export const rigOrigin = 'https://app.rig.example';

export type RigOptions = {
  /** Settings that win over the rig's own; undefined takes one away. */
  env?: Record<string, string | undefined>;
  /** Sells through the Stripe stand-in; absent: prices by SQL, and Stripe out of reach. */
  stripe?: boolean;
  qstash?: { timeScale?: number; parallelism?: number };
  /** Of a search and of the first byte of a letter; absent: 5. */
  providerLatencyMs?: number;
};

/** The built Worker on a database of its own, with stand-ins in this process. */
export type Rig = WorkerClient & {
  database: TestDatabase;
  worker: WorkerHost;
  qstash: Awaited<ReturnType<typeof startQstash>>;
  redis: Awaited<ReturnType<typeof startRedis>>;
  providers: Awaited<ReturnType<typeof startProviders>>;
  /** Absent unless the rig was started with `stripe`. */
  stripe: CheckedStripe | undefined;
  /** What the Worker has written to its log. */
  lines: string[];
  env: Record<string, string>;
  close: () => Promise<void>;
};

const withoutUndefined = (env: Record<string, string | undefined>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );

async function startStandIns(closers: Closers, options: RigOptions) {
  const { providerLatencyMs: latencyMs = 5 } = options;
  const [database, qstash, redis, providers, stripe] = await Promise.all([
    createDatabase(),
    closers.own(
      startQstash({
        token: rigSecrets.QSTASH_TOKEN,
        currentSigningKey: rigSecrets.QSTASH_CURRENT_SIGNING_KEY,
        nextSigningKey: rigSecrets.QSTASH_NEXT_SIGNING_KEY,
        timeScale: 100,
        ...options.qstash,
      }),
    ),
    closers.own(startRedis({ token: rigSecrets.UPSTASH_REDIS_REST_TOKEN })),
    closers.own(startProviders({ latencyMs, llmStreamMs: Math.min(5, latencyMs) })),
    options.stripe
      ? closers.own(startCheckedStripe({ secretKey: rigSecrets.STRIPE_SECRET_KEY, timeScale: 100 }))
      : undefined,
  ]);
  closers.add(database.drop);
  return { database, qstash, redis, providers, stripe };
}

function settingsOf(
  parts: Awaited<ReturnType<typeof startStandIns>>,
  url: string,
  env: RigOptions['env'] = {},
): Record<string, string> {
  return withoutUndefined({
    ...rigSecrets,
    DATABASE_URL: parts.database.url,
    NEON_PROXY_URL: parts.database.neonProxyUrl,
    STRIPE_API_BASE: parts.stripe?.url ?? 'http://127.0.0.1:9',
    QSTASH_URL: parts.qstash.url,
    UPSTASH_REDIS_REST_URL: parts.redis.url,
    SERPER_BASE_URL: parts.providers.serperUrl,
    LLM_BASE_URL: parts.providers.llmUrl,
    AUTH_ISSUER: 'https://sign-in.rig.example',
    AUTH_AUDIENCE: 'rowloom-rig',
    PUBLIC_URL: url,
    APP_URL: rigOrigin,
    ALLOWED_ORIGINS: `${rigOrigin},https://other.rig.example`,
    ...env,
  });
}

/** Starts everything; call `close` in `afterAll`. What was started is closed again when a part fails. */
export async function startRig(options: RigOptions = {}): Promise<Rig> {
  const closers = new Closers();
  try {
    const building = buildWorker();
    building.catch(() => undefined);
    const parts = await startStandIns(closers, options);
    const port = await freePort();
    const env = settingsOf(parts, `http://127.0.0.1:${port}`, options.env);
    const selling = parts.stripe ? setUpStripe(env) : listPrices(parts.database.pool);
    const [secret] = await Promise.all([selling, building]);
    if (typeof secret === 'string') env['STRIPE_WEBHOOK_SECRET'] = secret;
    const lines: string[] = [];
    const log = (line: string): void => void lines.push(line);
    const worker = await closers.own(startWorker({ env, port, log }));
    const client = new WorkerClient(worker.url, env);
    const close = async (): Promise<void> => {
      await closers.close();
      parts.stripe?.checkShapes();
    };
    return Object.assign(client, parts, { worker, lines, env, close });
  } catch (error) {
    await closers.close();
    throw error;
  }
}

/** A subject that no other test has. */
export const someone = (): string => randomUUID();
