import { Redis } from '@upstash/redis/cloudflare';

/** Redis over REST. It keeps rates and progress, never money; every use has an answer for its absence. */
export const createRedis = (options: { url: string; token: string }): Redis =>
  new Redis({
    url: options.url,
    token: options.token,
    retry: { retries: 1, backoff: () => 50 },
    enableTelemetry: false,
    signal: () => AbortSignal.timeout(1500),
  });
