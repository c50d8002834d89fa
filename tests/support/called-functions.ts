import { readdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { Client } from 'pg';
import type { Vitest } from 'vitest/node';
import { functionsSchema } from '../../db/functions.generated.ts';

/**
 * Bodies in PL/pgSQL are bound to tables and columns only when they run: a function that no test of the
 * db layer calls is proven by nothing. (Bodies in SQL are read when they are released.)
 */
async function withClient<T>(url: string, work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client(url);
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** Makes the server count calls, and the list to tick: every function of the migrated database. */
export async function trackCalls(adminUrl: string, migratedUrl: string): Promise<void> {
  const { rows } = await withClient(migratedUrl, (client) =>
    client.query<{ name: string }>(
      `select proname as name from pg_proc p join pg_language l on l.oid = p.prolang
         where pronamespace = $1::regnamespace and lanname = 'plpgsql'`,
      [functionsSchema],
    ),
  );
  await withClient(adminUrl, async (client) => {
    await client.query(`alter system set track_functions = 'pl'`);
    await client.query('select pg_reload_conf()');
    await client.query(
      'create table function_calls as select name, false as called from unnest($1::text[]) name',
      [rows.map(({ name }) => name)],
    );
  });
}

/** Ticks what was called in a test's database, which nobody may need any more. */
export async function recordCalls(adminUrl: string, url: string): Promise<void> {
  const { rows } = await withClient(url, async (client) => {
    // A connection may keep its counts to itself until it ends.
    await client.query(
      `select pg_terminate_backend(pid, 2000) from pg_stat_activity
         where datname = current_database() and pid <> pg_backend_pid()`,
    );
    return client.query<{ name: string }>(
      'select funcname as name from pg_stat_user_functions where schemaname = $1',
      [functionsSchema],
    );
  });
  await withClient(adminUrl, (client) =>
    client.query('update function_calls set called = true where name = any($1) and not called', [
      rows.map(({ name }) => name),
    ]),
  );
}

/** Functions that the db layer never called; none unless all of its files ran. */
export async function neverCalled(adminUrl: string, vitest: Vitest): Promise<string[]> {
  const ran = new Set(vitest.state.getFiles().map(({ filepath }) => filepath));
  const files = readdirSync('tests/db').filter((name) => name.endsWith('.test.ts'));
  if (!files.every((name) => ran.has(resolve('tests/db', name)))) return [];
  const { rows } = await withClient(adminUrl, (client) =>
    client.query<{ name: string }>('select name from function_calls where not called order by 1'),
  );
  return rows.map(({ name }) => name);
}
