import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Pool } from 'pg';

/** Has every new connection, and only new ones, log each statement, those inside functions too. */
async function switchLog(pool: Pool, on: boolean): Promise<void> {
  const settings = on
    ? [
        "session_preload_libraries = 'auto_explain'",
        'auto_explain.log_min_duration = 0',
        'auto_explain.log_nested_statements = on',
      ]
    : ['session_preload_libraries = default'];
  const client = await pool.connect();
  try {
    await client.query("load 'auto_explain'");
    for (const setting of settings) await client.query(`alter role current_user set ${setting}`);
    await client.query(`select pg_terminate_backend(pid) from pg_stat_activity
      where pid <> pg_backend_pid() and backend_type = 'client backend'`);
  } finally {
    client.release(true);
  }
  await delay(300);
}

/** The texts of all statements that Postgres runs while each of `works` works, by auto_explain. */
export async function statementsDuring(
  pool: Pool,
  works: (() => Promise<unknown>)[],
): Promise<string[][]> {
  const { rows } = await pool.query<{ data_directory: string }>('show data_directory');
  const log = join(rows[0]?.data_directory ?? '', '../postgres.log');
  await switchLog(pool, true);
  const found: string[][] = [];
  try {
    for (const work of works) {
      const { size } = statSync(log);
      await work();
      await delay(100);
      const text = readFileSync(log).toString('utf8', size);
      found.push(text.split(/duration: [\d.]+ ms {2}plan:\n/).slice(1));
    }
  } finally {
    await switchLog(pool, false);
  }
  return found;
}
