import { join } from 'node:path';
import { startNeonProxy } from '../neon-proxy/index.ts';
import { startPostgres } from '../postgres/index.ts';
import { startProviders } from '../providers/index.ts';
import { startQstash } from '../qstash/index.ts';
import { startRedis } from '../redis/index.ts';
import { startStripe } from '../stripe/index.ts';
import type { Closers } from './closers.ts';
import type { Ports } from './ports.ts';
import type { Secrets } from './secrets.ts';
import { type Environment, namedParts } from './settings.ts';

type Started<Start extends (options: never) => Promise<unknown>> =
  | Awaited<ReturnType<Start>>
  | undefined;

/** The stand-ins that were started; those that the environment names are absent. */
export type Handles = {
  postgres?: Started<typeof startPostgres>;
  neon?: Started<typeof startNeonProxy>;
  qstash?: Started<typeof startQstash>;
  redis?: Started<typeof startRedis>;
  stripe?: Started<typeof startStripe>;
  providers?: Started<typeof startProviders>;
};

type ProviderOptions = NonNullable<Parameters<typeof startProviders>[0]>;

/** What can be asked of the stand-ins. */
export type PartOptions = {
  /** Until a search answers and until the LLM's first token; absent: 300. */
  latencyMs?: number | undefined;
  providerOptions?: Omit<ProviderOptions, 'port'> | undefined;
  qstash?: { timeScale?: number; parallelism?: number } | undefined;
};

/** Starts every stand-in that is needed, at once. What fails is reported after all have settled. */
export async function startParts(input: {
  environment: Environment;
  secrets: Secrets;
  ports: Ports;
  directory: string;
  ephemeral: boolean;
  closers: Closers;
  options: PartOptions;
}): Promise<Handles> {
  const { closers, directory, ephemeral, options, ports, secrets } = input;
  const named = namedParts(input.environment);
  const unless = <T extends { close: () => Promise<void> }>(
    isNamed: boolean,
    start: () => Promise<T>,
  ): Promise<T | undefined> => (isNamed ? Promise.resolve(undefined) : closers.own(start()));
  const { latencyMs } = options;
  // A quick provider also streams its answer quickly.
  const latency =
    latencyMs === undefined ? {} : { latencyMs, llmStreamMs: Math.min(100, latencyMs / 3) };
  const [postgres, neon, qstash, redis, stripe, providers] = await Promise.all([
    unless(named.database, () =>
      startPostgres({ directory: join(directory, 'postgres'), port: ports.postgres, ephemeral }),
    ),
    unless(named.neon, () => startNeonProxy({ port: ports.neon })),
    unless(named.qstash, () =>
      startQstash({
        port: ports.qstash,
        token: secrets.qstashToken,
        currentSigningKey: secrets.qstashCurrentSigningKey,
        nextSigningKey: secrets.qstashNextSigningKey,
        ...options.qstash,
      }),
    ),
    unless(named.redis, () =>
      startRedis({
        port: ports.redis,
        token: secrets.redisToken,
      }),
    ),
    unless(named.stripe, () =>
      startStripe({
        port: ports.stripe,
        secretKey: secrets.stripeSecretKey,
        ...(ephemeral ? {} : { statePath: join(directory, 'stripe.json') }),
      }),
    ),
    unless(named.search && named.llm, () =>
      startProviders({ port: ports.providers, ...latency, ...options.providerOptions }),
    ),
  ]);
  return { postgres, neon, qstash, redis, stripe, providers };
}
