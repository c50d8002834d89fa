import { Pool } from 'pg';
import { startStack, type Stack, type StackOptions } from '../../local/stack.ts';
import { Load } from './load.ts';
import { measureCpu, parentOf } from './processes.ts';

/** A running stack, a connection to its database past the proxy, and the clients. */
export type Setting = {
  stack: Stack;
  pool: Pool;
  load: Load;
  databaseUrl: string;
  /** Requests that the Neon proxy has answered so far. */
  roundTrips: () => number;
  measureCpu: () => ReturnType<typeof measureCpu>;
};

const uncapped = { RATE_LIMIT_PER_MINUTE: '1000000000' };

async function postmasterOf(pool: Pool): Promise<number> {
  const { rows } = await pool.query<{ pid: number }>('select pg_backend_pid() as pid');
  return parentOf(rows[0]?.pid ?? 0) ?? 0;
}

/** Starts a fresh stack from nothing but `options`, works with it, and stops it. */
export async function withStack<T>(
  options: StackOptions,
  work: (setting: Setting) => Promise<T>,
): Promise<T> {
  const stack = await startStack({
    ephemeral: true,
    environment: {},
    crons: false,
    // Writing the log of thousands of requests is no part of what is measured; errors are.
    logLevel: 'error',
    ...options,
    env: { ...uncapped, ...options.env },
  });
  const databaseUrl = stack.services.postgres;
  const pool = new Pool({ connectionString: databaseUrl, max: 4 });
  const load = new Load();
  try {
    const postmaster = await postmasterOf(pool);
    return await work({
      stack,
      pool,
      load,
      databaseUrl,
      roundTrips: () => stack.handles.neon?.stats.requests ?? 0,
      measureCpu: () => measureCpu({ workerd: stack.worker.pid ?? 0, postmaster }),
    });
  } finally {
    await Promise.allSettled([load.close(), pool.end()]);
    await stack.close();
  }
}
