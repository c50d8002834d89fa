import type { Client as Qstash, Receiver } from '@upstash/qstash';
import type { Redis } from '@upstash/redis';
import type Stripe from 'stripe';
import { createDb, type Db } from '../db/client.ts';
import { createQstash, createReceiver } from './clients/qstash.ts';
import { createRedis } from './clients/redis.ts';
import { createStripe, type Refusal } from './clients/stripe.ts';
import type { Config } from './env.ts';

/** What a verb is given: the configuration and the outside world, nothing from globals. */
export type Ctx = {
  config: Config;
  db: Db;
  stripe: Stripe;
  qstash: Qstash;
  receiver: Receiver;
  redis: Redis;
  now: () => Date;
  /** Writes one structured line; never a secret, an e-mail address or row content. */
  log: (event: string, fields: Record<string, string | number | boolean | null>) => void;
};

/** What is done when Stripe refuses our key; it must not throw. */
type OnRefused = (ctx: Pick<Ctx, 'db' | 'log'>, refusal: Refusal) => Promise<void>;

/** Builds the world once per isolate; nothing here does I/O. */
export function createCtx(config: Config, onRefused?: OnRefused): Ctx {
  const db = createDb(config.database);
  const log: Ctx['log'] = (event, fields) => {
    // oxlint-disable-next-line no-console -- Workers Logs reads the console: this is the log
    console.log(JSON.stringify({ event, ...fields }));
  };
  return {
    config,
    db,
    stripe: createStripe({
      ...config.stripe,
      ...(onRefused && { onRefused: (refusal) => onRefused({ db, log }, refusal) }),
    }),
    qstash: createQstash(config.qstash),
    receiver: createReceiver(config.qstash),
    redis: createRedis(config.redis),
    now: () => new Date(),
    log,
  };
}
