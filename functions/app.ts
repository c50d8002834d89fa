import { type Context, Hono } from 'hono';
import { cors } from 'hono/cors';
import { HTTPException } from 'hono/http-exception';
import { methodNotAllowed } from 'hono/method-not-allowed';
import { requestId } from 'hono/request-id';
import { secureHeaders } from 'hono/secure-headers';
import type { Ctx } from './context.ts';
import { DomainError } from './errors.ts';
import { requestLog, type Vars } from './http/middleware.ts';
import { problem } from './http/problem.ts';
import { accountRoutes } from './routes/account.ts';
import { adminRoutes } from './routes/admin.ts';
import { billingRoutes } from './routes/billing.ts';
import { docsRoutes } from './routes/docs.ts';
import { healthRoutes } from './routes/health.ts';
import { jobRoutes } from './routes/jobs.ts';
import { profileRoutes } from './routes/profile.ts';
import { queueRoutes } from './routes/queue.ts';
import { Session } from './routes/authenticate.ts';
import { webhookRoutes } from './routes/webhooks.ts';

/** What the framework throws, in our words. */
function asDomainError(error: unknown): unknown {
  if (!(error instanceof HTTPException)) return error;
  if (error.status === 400) return new DomainError('invalid_json', 'The body is not valid JSON.');
  return error;
}

/** Where a bug happened, without its message, which may quote what a user sent. */
function logBug(ctx: Ctx, requestIdOf: string, error: unknown): void {
  const cause = error instanceof DomainError ? (error.cause ?? error) : error;
  const { name, stack, code } = cause as { name?: string; stack?: string; code?: string };
  const frames = (stack ?? '').split('\n').filter((line) => line.trimStart().startsWith('at '));
  ctx.log('error', {
    requestId: requestIdOf,
    name: name ?? typeof cause,
    code: code ?? null,
    at: frames
      .slice(0, 3)
      .map((line) => line.trim())
      .join(' < '),
  });
}

/** The path is there for other methods. HEAD is left out: it goes with every GET. */
function refuseMethod(c: Context, allowed: string[]): Response {
  const methods = allowed.filter((method) => method !== 'HEAD');
  const refusal = problem(c, new DomainError('method_not_allowed', `Use ${methods.join(' or ')}.`));
  refusal.headers.set('allow', methods.join(', '));
  return refusal;
}

/** The whole HTTP surface: middleware in order, mounts, refusals. */
export function createApp(ctx: Ctx): Hono<{ Variables: Vars }> {
  const app = new Hono<{ Variables: Vars }>();
  const session = new Session(ctx);

  app.use(requestId());
  app.use(requestLog(ctx.log, ctx.now));
  app.use(secureHeaders({ crossOriginResourcePolicy: false }));
  app.use(methodNotAllowed({ app, onMethodNotAllowed: refuseMethod }));
  app.use(
    '/v1/*',
    cors({
      origin: ctx.config.allowedOrigins,
      allowMethods: ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'],
      allowHeaders: [
        'Authorization',
        'Content-Type',
        'Idempotency-Key',
        'Last-Event-ID',
        'If-None-Match',
      ],
      exposeHeaders: [
        'X-Request-Id',
        'Retry-After',
        'Content-Disposition',
        'ETag',
        'Idempotency-Replayed',
      ],
      maxAge: 7200,
    }),
  );

  app.route('/v1', accountRoutes(ctx, session));
  app.route('/v1/me', profileRoutes(ctx, session));
  app.route('/v1/billing', billingRoutes(ctx, session));
  app.route('/v1/jobs', jobRoutes(ctx, session));
  app.route('/v1/admin', adminRoutes(ctx));
  app.route('/webhooks', webhookRoutes(ctx));
  app.route('/queue', queueRoutes(ctx));
  app.route('/', healthRoutes(ctx));
  app.route('/', docsRoutes(ctx, app));

  app.notFound((c) =>
    problem(c, new DomainError('not_found', 'There is nothing at this address.')),
  );
  app.onError((thrown, c) => {
    const error = asDomainError(thrown);
    const refusal = problem(c, error);
    if (refusal.status >= 500) logBug(ctx, c.get('requestId'), error);
    return refusal;
  });
  return app;
}
