import { queueTimeoutMs, timeLimit } from '../clients/time-limit.ts';
import type { Ctx } from '../context.ts';
import { DomainError } from '../errors.ts';
import { walk } from './reconcile.ts';

/** A step of a walk; the queue carries it on, so that no step outlives its invocation. */
export type ReconcileMessage = {
  run: string;
  /** When the run began, and the clean run before it; unix seconds. Null: everything is walked. */
  startedAt: number;
  since: number | null;
  cursor: string | null;
  /** Which step of the run it is. */
  step: number;
  /** How often Stripe has not answered in a row. */
  tries: number;
  /** Whether Stripe has told all that was asked of it so far. */
  isClean: boolean;
};

const watermark = 'reconcile';
/** So long a webhook may take, with its first tries again. */
const webhookSeconds = 900;
/** After so many unanswered steps the run is given up: the next day's begins where the last clean one did. */
const mostTries = 10;

async function publish(ctx: Ctx, message: ReconcileMessage, delay = 0): Promise<void> {
  const { run, step } = message;
  const published = ctx.qstash.publishJSON({
    url: `${ctx.config.publicUrl}/queue/reconcile`,
    body: message,
    retries: 3,
    // Not by its cursor: a page that takes several steps would be taken for the message before.
    deduplicationId: `reconcile-${run}-${step}`,
    flowControl: { key: 'reconcile', parallelism: 1 },
    ...(delay > 0 && { delay }),
  });
  await timeLimit(queueTimeoutMs, published);
}

/** Begins the walk of a day; the first one walks everything. The same day twice is one walk. */
export async function beginReconcile(ctx: Ctx): Promise<void> {
  const [last] = await ctx.db.rows<{ at: number }>(
    'select extract(epoch from at)::integer as at from watermarks where name = $1',
    [watermark],
  );
  const startedAt = Math.floor(ctx.now().getTime() / 1000);
  const run = ctx.now().toISOString().slice(0, 10);
  await publish(ctx, {
    run,
    startedAt,
    since: last?.at ?? null,
    cursor: null,
    step: 0,
    tries: 0,
    isClean: true,
  });
}

/** Until here everything is known: what comes of a later run counts from it. */
const markClean = (ctx: Ctx, startedAt: number) =>
  ctx.db.rows(
    `insert into watermarks as w (name, at) values ($1, to_timestamp($2))
      on conflict (name) do update set at = greatest(w.at, excluded.at)`,
    [watermark, startedAt],
  );

/** Stripe does not answer: the same step again when it asks for, a few times. */
async function comeAgain(ctx: Ctx, message: ReconcileMessage, failure: unknown): Promise<void> {
  const isPassing =
    failure instanceof DomainError && failure.code === 'payment_provider_unavailable';
  if (!isPassing || message.tries >= mostTries) throw failure;
  await publish(ctx, message, failure.retryAfterSeconds ?? 10);
}

/** Works one step and publishes the next. A step that comes twice finds nothing left to post. */
export async function reconcileStep(
  ctx: Ctx,
  message: ReconcileMessage,
): Promise<{ done: boolean }> {
  const { run, startedAt, since, tries } = message;
  const walked = await walk(ctx, {
    dryRun: false,
    since: since ?? undefined,
    until: startedAt - webhookSeconds,
    cursor: message.cursor ?? undefined,
  }).catch((failure: unknown) => ({ failure }));
  // Not even its first page.
  if (!('checked' in walked)) {
    const again = { ...message, step: message.step + 1, tries: tries + 1 };
    await comeAgain(ctx, again, walked.failure);
    return { done: false };
  }
  const { checked, differences, nextCursor, failure } = walked;
  for (const { object, type, status, says } of differences)
    ctx.log('reconcile_difference', { run, object, type, status, says });
  const done = nextCursor === null;
  // What Stripe did not tell today may be too old for tomorrow's lists, unless these begin where today's did.
  const isClean = message.isClean && !differences.some(({ code }) => code === 'stripe_unavailable');
  ctx.log('reconcile_step', { run, checked, differences: differences.length, done });
  const next = { ...message, cursor: nextCursor, step: message.step + 1, isClean };
  if (failure !== undefined) await comeAgain(ctx, { ...next, tries: tries + 1 }, failure);
  else if (!done) await publish(ctx, { ...next, tries: 0 });
  else if (isClean) await markClean(ctx, startedAt);
  return { done };
}
