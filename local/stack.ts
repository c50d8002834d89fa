import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Closers } from './stack/closers.ts';
import { fireCrons } from './stack/cron.ts';
import { type Handles, type PartOptions, startParts } from './stack/parts.ts';
import { choosePorts, type Ports } from './stack/ports.ts';
import { untilReady } from './stack/readiness.ts';
import { lastingRun, type RunDirectory, temporaryRun } from './stack/run-directory.ts';
import { keepSecrets, keptSecrets, type Secrets, secretsFor, signToken } from './stack/secrets.ts';
import { type Environment, namedParts, readEnvironment, root } from './stack/settings.ts';
import { removeEndpoints, setUpStripe } from './stack/stripe-setup.ts';
import { type Service, serviceUrls, workerEnvironment } from './stack/worker-env.ts';
import { buildWorker, startWorker, type WorkerHost } from './worker-host.ts';
import type { LogOptions } from './worker-host/log.ts';

const startPatienceMs = 60_000;

/** How to start a stack. */
export type StackOptions = PartOptions &
  LogOptions & {
    /** Fresh state in a temporary folder, free ports; otherwise state and secrets in `.rowloom/`. */
    ephemeral?: boolean | undefined;
    /** Of the API; absent: 8787, or a free one if ephemeral. */
    port?: number | undefined;
    /** What is set; absent: `.dev.vars` and the environment of this process. */
    environment?: Environment | undefined;
    /** More settings for the Worker, winning over all others. */
    env?: Environment | undefined;
    /** Whether cron triggers fire each minute; absent: yes. */
    crons?: boolean | undefined;
    /** Whether V8's inspector of the Worker listens too. */
    inspect?: boolean | undefined;
    /** Of V8 in the Worker's process. */
    v8Flags?: readonly string[] | undefined;
    /** Aborts the start; whatever has been started by then is closed. */
    signal?: AbortSignal | undefined;
    /** Called when a process of the stack ends that should not. */
    onDeath?: ((what: string) => void) | undefined;
  };

/** A running stack. */
export type Stack = {
  api: string;
  services: Record<Service, string>;
  secrets: Record<ReadySecret, string>;
  handles: Handles;
  worker: WorkerHost;
  /** The Worker's whole environment. */
  env: Environment;
  /** A user token. @throws Error if the Worker takes tokens by JWKS only. */
  token: (sub: string, email: string, options?: { verified?: boolean }) => Promise<string>;
  close: () => Promise<void>;
};

type ReadySecret =
  | 'stripeWebhookSecret'
  | 'qstashCurrentSigningKey'
  | 'qstashNextSigningKey'
  | 'qstashToken'
  | 'adminToken'
  | 'authJwtSecret';

type Frame = {
  options: StackOptions;
  run: RunDirectory;
  closers: Closers;
  environment: Environment;
  secrets: Secrets;
  ports: Ports;
  signal: AbortSignal;
};

/** Awaits `work`, but no longer than until `signal` aborts. */
function until<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason as Error);
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}

async function prepareStripe({ secrets, environment }: Frame, env: Environment): Promise<void> {
  const url = `${env['PUBLIC_URL']}/webhooks/stripe`;
  const isStandIn = !namedParts(environment).stripe;
  const isKnown = secrets.stripeWebhookUrl === url && secrets.stripeWebhookSecret !== '';
  if (isStandIn) await removeEndpoints(env, isKnown ? url : undefined);
  const given = await setUpStripe(env);
  const isTold = !isStandIn && environment['STRIPE_WEBHOOK_SECRET'] !== undefined;
  if (!given || isTold) return;
  secrets.stripeWebhookSecret = given;
  secrets.stripeWebhookUrl = url;
}

/** Creates what the Worker expects to find: tables, products, prices, the webhook endpoint. */
async function prepareData(frame: Frame, env: Environment): Promise<void> {
  const { options, run, secrets } = frame;
  // Drizzle takes half a second to load: only a stack needs it, not its `--help`.
  const { migrate } = await import('../db/migrate.ts');
  await migrate(env['DATABASE_URL'] ?? '');
  if (/^(sk|rk)_live_/.test(secrets.stripeSecretKey))
    process.stderr.write('A live Stripe key: products and prices are left as they are.\n');
  else await prepareStripe(frame, env);
  if (!secrets.stripeWebhookSecret)
    throw new Error(
      'STRIPE_WEBHOOK_SECRET is needed: Stripe tells it only when the endpoint is created.',
    );
  if (!options.ephemeral) await keepSecrets(run.path, secrets);
}

/** Reports processes of the stack that end before they should. */
function watchDeaths(frame: Frame, isExpected: () => boolean): void {
  const { children } = frame.run;
  const expected = new Set(children.alive());
  const report = async (what: string): Promise<void> => {
    // A Ctrl-C may reach a child before it reaches us.
    await delay(300);
    if (!isExpected()) frame.options.onDeath?.(what);
  };
  children.onExit((child, how) => {
    const isWorker = child.spawnfile.includes('workerd');
    if (expected.has(child) && !isWorker)
      void report(`${child.spawnfile} (process ${child.pid}) ended: ${how}`);
  });
}

/** The running stack as others see it. */
function present(closers: Closers, worker: WorkerHost, handles: Handles, env: Environment): Stack {
  const of = (name: string): string => env[name] ?? '';
  return {
    api: of('PUBLIC_URL'),
    services: serviceUrls(env, handles),
    secrets: {
      stripeWebhookSecret: of('STRIPE_WEBHOOK_SECRET'),
      qstashCurrentSigningKey: of('QSTASH_CURRENT_SIGNING_KEY'),
      qstashNextSigningKey: of('QSTASH_NEXT_SIGNING_KEY'),
      qstashToken: of('QSTASH_TOKEN'),
      adminToken: of('ADMIN_TOKEN'),
      authJwtSecret: of('AUTH_JWT_SECRET'),
    },
    handles,
    worker,
    env,
    token: async (sub, email, { verified } = {}) => {
      const [secret, issuer, audience] = [
        of('AUTH_JWT_SECRET'),
        of('AUTH_ISSUER'),
        of('AUTH_AUDIENCE'),
      ];
      if (!secret) throw new Error('The Worker takes tokens by AUTH_JWKS_URL: there is no secret.');
      return signToken({ secret, sub, email, verified, issuer, audience });
    },
    close: () => closers.close(),
  };
}

/** Starts everything in order; what does not depend on each other starts at once. */
async function assemble(frame: Frame): Promise<Stack> {
  const { closers, environment, options, ports, run, secrets, signal } = frame;
  const { ephemeral = false, inspect, v8Flags, log, logLevel } = options;
  const building = buildWorker();
  const loading = import('../db/migrate.ts');
  for (const early of [building, loading]) early.catch(() => undefined);
  const directory = run.path;
  const handles = await until(
    signal,
    startParts({ environment, secrets, ports, closers, options, directory, ephemeral }),
  );
  const api = `http://127.0.0.1:${ports.api}`;
  const base = { ...workerEnvironment(environment, handles, secrets, api), ...options.env };
  await until(signal, Promise.all([prepareData(frame, base), building]));
  const env: Environment = {
    ...base,
    STRIPE_WEBHOOK_SECRET: secrets.stripeWebhookSecret,
    ...options.env,
  };
  const onExit = (how: string): void => options.onDeath?.(`The Worker (workerd) ended: ${how}`);
  const folder = join(directory, 'worker');
  const starting = startWorker({
    env,
    port: ports.api,
    directory: folder,
    inspect,
    v8Flags,
    log,
    logLevel,
    onExit,
  });
  const worker = await until(signal, closers.own(starting));
  await untilReady(api, 20_000, signal);
  if (options.crons !== false)
    closers.add(fireCrons(worker, (error) => process.stderr.write(`${String(error)}\n`)));
  watchDeaths(frame, () => closers.isClosing);
  return { ...present(closers, worker, handles, env), api };
}

/**
 * Starts the Worker and a stand-in for every service that the environment does not name, with the
 * database migrated and Stripe set up. Leftovers of crashed runs are ended first.
 * @throws Error saying what is wrong; nothing is left running then.
 */
export async function startStack(options: StackOptions = {}): Promise<Stack> {
  const environment = options.environment ?? readEnvironment();
  namedParts(environment);
  const ports = await choosePorts(options.port, options.ephemeral ?? false);
  const run = await (options.ephemeral ? temporaryRun() : lastingRun(join(root, '.rowloom')));
  const closers = new Closers();
  closers.add(run.release);
  const patience = AbortSignal.timeout(startPatienceMs);
  const signal = options.signal ? AbortSignal.any([options.signal, patience]) : patience;
  try {
    const kept = options.ephemeral ? {} : keptSecrets(run.path);
    const secrets = secretsFor(environment, kept);
    const frame = { options, run, closers, environment, secrets, ports, signal };
    return await run.children.within(() => assemble(frame));
  } catch (error) {
    await closers.close();
    throw error;
  }
}
