import { Hono, type Context } from 'hono';
import * as z from 'zod';
import { reconcileStep } from '../stripe/reconcile-daily.ts';
import { cursorText } from './reconcile.ts';
import type { Ctx } from '../context.ts';
import { DomainError, type ErrorCode } from '../errors.ts';
import { limitBody, signedText } from '../http/middleware.ts';
import { problem } from '../http/problem.ts';
import { auditStep } from '../ledger/audit-books.ts';
import { deliverNotification, giveUpNotification } from '../notifications/deliver-notification.ts';
import { failChunk } from '../processing/fail-chunks.ts';
import { probeUntilBack } from '../processing/probe-providers.ts';
import { processChunk } from '../processing/process-chunk.ts';
import { sweepNames, sweepOn } from '../sweeps/sweeps.ts';
import { describe } from './openapi-route.ts';

/** A callback carries the answer and the source of the message it is about. */
const largestMessageBytes = 1_048_576;

/** Messages that were on their way when these names changed. */
const withOlderNames = (message: unknown): unknown => {
  const { attempt, part, ...rest } = Object(message) as Record<string, unknown>;
  return { run: attempt, revision: part, ...rest };
};

const chunkMessage = z.preprocess(
  withOlderNames,
  z.object({
    jobId: z.uuid(),
    run: z.number().int().positive(),
    chunk: z.number().int().nonnegative(),
    revision: z.number().int().nonnegative().default(0),
  }),
);

const reconcileMessage = z.object({
  run: z.string().max(40),
  startedAt: z.int().nonnegative(),
  since: z.int().nonnegative().nullable(),
  cursor: cursorText.nullable(),
  step: z.int().nonnegative().default(0),
  tries: z.int().nonnegative(),
  isClean: z.boolean().default(true),
});

const probeMessage = z.object({ provider: z.string().max(40) });

const sweepMessage = z.object({ name: z.enum(sweepNames) });

const notificationMessage = z.object({ notificationId: z.uuid() });

const auditMessage = z.object({ run: z.string().max(40), cursor: z.uuid().nullable() });

const failureCallback = z.object({ status: z.number().int(), sourceBody: z.base64() });

/** The body of a delivery that QStash signed, in every environment. */
async function verified(ctx: Ctx, c: Context): Promise<string> {
  const body = await signedText(c);
  const signature = c.req.header('upstash-signature') ?? '';
  const url = `${ctx.config.publicUrl}${new URL(c.req.url).pathname}`;
  const valid = await ctx.receiver.verify({ signature, body, url }).catch(() => false);
  if (!valid)
    throw new DomainError('invalid_queue_signature', 'The message is not signed by QStash.');
  return body;
}

/** A message that can never be read goes to the dead-letter queue at once, not again and again. */
function unreadable(c: Context): never {
  c.header('upstash-nonretryable-error', 'true');
  throw new DomainError('unreadable_message', 'The message is none of ours.');
}

const parse = <T>(schema: z.ZodType<T>, text: string): T | undefined => {
  try {
    return schema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
};

/** QStash's own delays are longer than Retry-After would make them while the database is down. */
function withoutRetryAfter(error: unknown): unknown {
  if (error instanceof DomainError && error.code === 'service_unavailable')
    return new DomainError(error.code, error.detail, { extra: error.extra, cause: error });
  return error;
}

const described = (summary: string, errors: ErrorCode[] = []) =>
  describe({
    tag: 'Queue',
    summary,
    auth: 'qstash',
    ok: { status: 200, description: 'Worked, or nothing left to do' },
    errors: ['busy', 'too_large', 'unreadable_message', ...errors],
  });

export const queueRoutes = (ctx: Ctx) =>
  new Hono()
    .use(limitBody(largestMessageBytes))
    .post('/reconcile', described('Work a step of the daily reconciliation'), async (c) => {
      const message = parse(reconcileMessage, await verified(ctx, c));
      if (!message) return unreadable(c);
      return c.json(await reconcileStep(ctx, message));
    })
    .post('/audit', described('Work a step of the daily audit'), async (c) => {
      const message = parse(auditMessage, await verified(ctx, c));
      if (!message) return unreadable(c);
      return c.json(await auditStep(ctx, message));
    })
    .post('/chunks', described('Work a chunk of a job'), async (c) => {
      const message = parse(chunkMessage, await verified(ctx, c));
      if (!message) unreadable(c);
      try {
        return c.json(await processChunk(ctx, message));
      } catch (error) {
        throw withoutRetryAfter(error);
      }
    })
    .post('/probes', described('See whether a provider works again'), async (c) => {
      const message = parse(probeMessage, await verified(ctx, c));
      if (!message) return unreadable(c);
      return c.json(await probeUntilBack(ctx, message));
    })
    .post('/sweeps', described('Go on with work that is due'), async (c) => {
      const message = parse(sweepMessage, await verified(ctx, c));
      if (!message) return unreadable(c);
      return c.json(await sweepOn(ctx, message));
    })
    .post(
      '/notifications',
      described("Tell a receiver of a job's end", ['not_delivered']),
      async (c) => {
        const message = parse(notificationMessage, await verified(ctx, c));
        if (!message) return unreadable(c);
        const told = await deliverNotification(ctx, message);
        if (told.outcome !== 'pending') return c.json(told);
        // Nothing of ours went wrong: it stands in the notification, not among the errors of the log.
        return problem(c, new DomainError('not_delivered', 'It is tried again.'));
      },
    )
    .post(
      '/notification-failures',
      described('Give up a notification whose deliveries are spent'),
      async (c) => {
        const callback = parse(failureCallback, await verified(ctx, c));
        const message = callback && parse(notificationMessage, atob(callback.sourceBody));
        if (!message) return unreadable(c);
        return c.json(await giveUpNotification(ctx, message));
      },
    )
    .post(
      '/chunk-failures',
      described('Turn a chunk that was given up into error rows'),
      async (c) => {
        const callback = parse(failureCallback, await verified(ctx, c));
        const message = callback && parse(chunkMessage, atob(callback.sourceBody));
        if (!callback || !message) unreadable(c);
        const reason = `Could not be processed (last answer: ${callback.status})`;
        try {
          return c.json(await failChunk(ctx, message, reason));
        } catch (error) {
          throw withoutRetryAfter(error);
        }
      },
    );
