import type { Ctx } from './context.ts';

export type Readiness = {
  ready: boolean;
  parts: Record<'database' | 'redis' | 'queue', 'ok' | 'down'>;
};

const timeoutMs = 4000;

const within = (work: Promise<unknown>): Promise<'ok' | 'down'> =>
  Promise.race([
    work.then(() => 'ok' as const),
    new Promise<'down'>((resolve) => setTimeout(() => resolve('down'), timeoutMs)),
  ]).catch(() => 'down' as const);

/**
 * Asks every part that a job needs. Stripe is not one: while it is down only purchases wait. The
 * database counts as up when its functions are there, so that a forgotten migration shows.
 */
export async function readiness(ctx: Ctx): Promise<Readiness> {
  const { url, token } = ctx.config.qstash;
  const askQueue = async () => {
    const response = await fetch(`${url}/v2/keys`, {
      headers: { authorization: `Bearer ${token}` },
      signal: AbortSignal.timeout(timeoutMs),
    });
    await response.body?.cancel();
    if (!response.ok) throw new Error(`QStash answered ${response.status}`);
  };
  const [database, redis, queue] = await Promise.all([
    within(ctx.db.rows('select rowloom.user_read(null)')),
    within(ctx.redis.ping()),
    within(askQueue()),
  ]);
  const parts = { database, redis, queue };
  return { ready: Object.values(parts).every((state) => state === 'ok'), parts };
}
