import { queueTimeoutMs, timeLimit } from '../clients/time-limit.ts';
import type { Ctx } from '../deps.ts';
import { reconcile } from './reconcile.ts';

/** A step of the daily walk; the queue carries it on, so that no step outlives its invocation. */
export type ReconcileMessage = { run: string; cursor: string };

async function publish(ctx: Ctx, message: ReconcileMessage): Promise<void> {
  const published = ctx.qstash.publishJSON({
    url: `${ctx.config.publicUrl}/queue/reconcile`,
    body: message,
    retries: 3,
    deduplicationId: `reconcile-${message.run}-${message.cursor.replace(/[^\w]/g, '-')}`,
    flowControl: { key: 'reconcile', parallelism: 1 },
  });
  await timeLimit(queueTimeoutMs, published);
}

/** Begins the walk of a day. The same day twice is one walk. */
export const beginReconcile = (ctx: Ctx): Promise<void> =>
  publish(ctx, { run: ctx.now().toISOString().slice(0, 10), cursor: 'events:' });

/** Works one step and publishes the next. A step that comes twice finds nothing left to post. */
export async function reconcileStep(
  ctx: Ctx,
  message: ReconcileMessage,
): Promise<{ done: boolean }> {
  const { checked, differences, nextCursor } = await reconcile(ctx, {
    dryRun: false,
    cursor: message.cursor,
  });
  ctx.log('reconcile_step', {
    run: message.run,
    checked,
    differences: differences.length,
    done: nextCursor === null,
  });
  if (nextCursor !== null) await publish(ctx, { run: message.run, cursor: nextCursor });
  return { done: nextCursor === null };
}
