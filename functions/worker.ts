import type { ExecutionContext, ExportedHandler } from '@cloudflare/workers-types';
import { createApp } from './app.ts';
import { beginReconcile } from './stripe/reconcile-daily.ts';
import { beginAudit } from './ledger/audit-books.ts';
import { createCtx, type Ctx } from './context.ts';
import { ConfigError, parseEnv } from './env.ts';
import { probeForgottenProviders } from './processing/probe-providers.ts';
import { noticeRefusedKey } from './notices/refused-key.ts';
import { sweepAll } from './sweeps/sweeps.ts';

type Env = Record<string, unknown>;
type App = { ctx: Ctx; fetch: ReturnType<typeof createApp>['fetch'] };

let built: { env: Env; app: App } | undefined;

/** Builds the app once per isolate: the environment does not change under it. */
function appOf(env: Env): App {
  if (built?.env === env) return built.app;
  const ctx = createCtx(parseEnv(env), noticeRefusedKey);
  const app = { ctx, fetch: createApp(ctx).fetch };
  built = { env, app };
  return app;
}

/** The answer while the configuration is wrong: every problem by name, never a value. */
function misconfigured(error: ConfigError): Response {
  const requestId = crypto.randomUUID();
  // oxlint-disable-next-line no-console -- Workers Logs reads the console: this is the log
  console.error(JSON.stringify({ event: 'misconfigured', requestId, problems: error.problems }));
  const body = {
    type: '/docs#error-misconfigured',
    title: 'The service is not configured',
    status: 500,
    detail: error.message,
    code: 'misconfigured',
    requestId,
    problems: error.problems,
  };
  return new Response(JSON.stringify(body), {
    status: 500,
    headers: { 'content-type': 'application/problem+json', 'x-request-id': requestId },
  });
}

/** As wrangler.toml has it. */
const dailyCron = '17 3 * * *';

async function runCron(ctx: Ctx, cron: string): Promise<void> {
  // One that fails does not keep the others from running; all but the daily ones come again in a minute.
  const runs: PromiseSettledResult<unknown>[] = await Promise.allSettled(
    cron === dailyCron
      ? [beginReconcile(ctx), beginAudit(ctx)]
      : [probeForgottenProviders(ctx), sweepAll(ctx)],
  );
  const failed = runs.find((run) => run.status === 'rejected');
  if (failed) throw failed.reason;
}

export default {
  async fetch(request: Request, env: Env, execution: ExecutionContext): Promise<Response> {
    try {
      return await appOf(env).fetch(request, env, execution);
    } catch (error) {
      if (error instanceof ConfigError) return misconfigured(error);
      throw error;
    }
  },
  async scheduled(controller: { cron: string }, env: Env): Promise<void> {
    await runCron(appOf(env).ctx, controller.cron);
  },
} satisfies Pick<ExportedHandler<Env>, 'scheduled'> & { fetch: unknown };
