/**
 * List prices in US dollars, pay as you go, as of November 2026. Sources: upstash.com/pricing/qstash,
 * upstash.com/pricing/redis, neon.com/docs/introduction/plans (Launch), developers.cloudflare.com/workers/platform/pricing.
 */
const prices = {
  qstashMessage: 1 / 100_000,
  redisCommand: 0.2 / 100_000,
  neonGbMonth: 0.35,
  workerRequest: 0.3 / 1_000_000,
  workerCpuMs: 0.02 / 1_000_000,
};

export type Usage = {
  qstashMessages: number;
  redisCommands: number;
  databaseBytes: number;
  workerRequests: number;
  workerCpuMs: number;
};

/** Dollars of the platform for what was used; the database's bytes for one month. */
export function dollarsOf(usage: Usage) {
  return {
    qstash: usage.qstashMessages * prices.qstashMessage,
    redis: usage.redisCommands * prices.redisCommand,
    database: (usage.databaseBytes / 1e9) * prices.neonGbMonth,
    workers: usage.workerRequests * prices.workerRequest + usage.workerCpuMs * prices.workerCpuMs,
  };
}
