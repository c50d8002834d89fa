import { queueTimeoutMs, timeLimit } from '../clients/time-limit.ts';
import type { Ctx } from '../context.ts';

/**
 * Has the queue ask for a probe of a provider, after `delaySeconds`. Which probe is due is in the database:
 * one message too many does no harm, and the cron makes up for one that is lost.
 */
export async function publishProbe(
  ctx: Pick<Ctx, 'qstash' | 'config'>,
  provider: string,
  delaySeconds = 3,
): Promise<void> {
  const message = ctx.qstash.publishJSON({
    url: `${ctx.config.publicUrl}/queue/probes`,
    body: { provider },
    retries: 0,
    delay: delaySeconds,
  });
  await timeLimit(queueTimeoutMs, message);
}
