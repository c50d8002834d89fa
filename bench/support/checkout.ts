import { fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { Pool } from 'pg';
import { signToken } from '../../local/stack/secrets.ts';
import { type Cpu, measureCpu, parentOf } from './processes.ts';

type Running = {
  api: string;
  databaseUrl: string;
  proxy: string;
  workerd: number;
  env: Record<string, string>;
};

/** A checkout of the project with its own stack, in a process of its own: seen by HTTP and by SQL. */
export type Checkout = {
  name: string;
  api: URL;
  pool: Pool;
  webhookSecret: string;
  token: (sub: string) => Promise<string>;
  /** Starts measuring; `withFolds` waits for the last backend to report what it has called. */
  measure: (withFolds: boolean) => Promise<(clientSeconds: number) => Promise<Measured>>;
  close: () => Promise<void>;
};

export type Measured = {
  cpu: Cpu;
  walBytes: number;
  /** Requests that the Neon proxy answered. */
  roundTrips: number;
  /** Of them those that would write a fold; null: not counted, or nothing folds there. */
  folds: number | null;
};

/** After so long an idle backend reports what it has counted. */
const reportedAfterMs = 11_000;

const walAndFolds = `select pg_current_wal_insert_lsn() - '0/0'::pg_lsn as wal,
  (select sum(calls) from pg_stat_user_functions where funcname = 'stripe_event_post_fold') as folds,
  exists (select 1 from pg_proc where proname = 'stripe_event_post_fold') as has_folds`;

/** What has been counted so far. */
async function countersOf({ proxy }: Running, pool: Pool) {
  const [answer, { rows }] = await Promise.all([
    fetch(`${proxy}/_local/stats`),
    pool.query<{ wal: string; folds: string | null; has_folds: boolean }>(walAndFolds),
  ]);
  const { requests } = (await answer.json()) as { requests: number };
  const [row] = rows;
  return {
    roundTrips: requests,
    walBytes: Number(row?.wal),
    folds: row?.has_folds ? Number(row.folds) : null,
  };
}

/** Starts the stack of the checkout at `directory`. @throws Error when it does not start. */
export async function startCheckout(name: string, directory: string): Promise<Checkout> {
  const child = fork(new URL('checkout-process.ts', import.meta.url), [directory], {
    cwd: directory,
  });
  const exited = once(child, 'exit');
  const [first] = await Promise.race([once(child, 'message'), exited.then(() => [undefined])]);
  if (first === undefined) throw new Error(`The stack of ${directory} did not start.`);
  const running = first as Running;
  const pool = new Pool({ connectionString: running.databaseUrl, max: 4 });
  await pool.query("alter system set track_functions = 'pl'");
  await pool.query('select pg_reload_conf()');
  const { rows } = await pool.query<{ pid: number }>('select pg_backend_pid() as pid');
  const postmaster = parentOf(rows[0]?.pid ?? 0) ?? 0;
  const pids = { workerd: running.workerd, postmaster, standIns: child.pid ?? 0 };
  const of = (setting: string): string => running.env[setting] ?? '';

  return {
    name,
    api: new URL(running.api),
    pool,
    webhookSecret: of('STRIPE_WEBHOOK_SECRET'),
    token: (sub) =>
      signToken({
        secret: of('AUTH_JWT_SECRET'),
        issuer: of('AUTH_ISSUER'),
        audience: of('AUTH_AUDIENCE'),
        sub,
        email: `${sub}@example.com`,
        verified: true,
      }),
    measure: async (withFolds) => {
      const before = await countersOf(running, pool);
      const ended = measureCpu(pids);
      return async (clientSeconds) => {
        const cpu = ended(clientSeconds);
        const after = await countersOf(running, pool);
        const { walBytes, roundTrips } = after;
        const waits = withFolds && after.folds !== null;
        if (waits) await delay(reportedAfterMs);
        const { folds } = waits ? await countersOf(running, pool) : { folds: null };
        return {
          cpu,
          walBytes: walBytes - before.walBytes,
          roundTrips: roundTrips - before.roundTrips,
          folds: folds === null ? null : folds - (before.folds ?? 0),
        };
      };
    },
    close: async () => {
      await pool.end();
      if (child.connected) child.disconnect();
      await exited;
    },
  };
}
