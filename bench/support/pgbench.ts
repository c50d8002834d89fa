import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Pool } from 'pg';

const run = promisify(execFile);

/** pgbench's version line, or undefined where it is not installed. */
export async function pgbenchVersion(): Promise<string | undefined> {
  try {
    return (await run('pgbench', ['--version'])).stdout.trim();
  } catch {
    return undefined;
  }
}

/** A line of pgbench's log; microseconds. */
function readLog(line: string) {
  const [, number = 0, latency = 0, , epoch = 0, rest = 0] = line.split(' ').map(Number);
  return { number, latency, end: epoch * 1_000_000 + rest };
}

/**
 * Calls `select FUNCTION(…)` with parameters that lie ready in a table: pgbench cannot send large
 * ones, so that the way of a payload from a client to the server is left out.
 */
export async function pgbench(input: {
  pool: Pool;
  databaseUrl: string;
  call: string;
  /** Of its parameters, in SQL. */
  types: string[];
  params: string[][];
  connections: number;
  /** Transactions of each client that do not count: a new connection has no plans yet. */
  warmUp: number;
  measure: () => (clientSeconds: number) => { postgres: number };
}): Promise<{ perSecond: number; latenciesMs: number[]; postgresSeconds: number }> {
  const { pool, params, connections } = input;
  const perClient = params.length / connections;
  if (!Number.isInteger(perClient))
    throw new Error(
      `pgbench gives each of ${connections} clients equally many of ${params.length}.`,
    );
  await pool.query('drop table if exists bench_params; drop sequence if exists bench_next');
  await pool.query('create table bench_params (n bigint primary key, params text[])');
  await pool.query('create sequence bench_next');
  for (let from = 0; from < params.length; from += 500) {
    const rows = params.slice(from, from + 500);
    await pool.query(
      `insert into bench_params
         select $1::bigint + o, array(select jsonb_array_elements_text(r))
         from jsonb_array_elements($2::jsonb) with ordinality given (r, o)`,
      [from, JSON.stringify(rows)],
    );
  }
  await pool.query('analyze bench_params');
  const folder = await mkdtemp(join(tmpdir(), 'rowloom-pgbench-'));
  try {
    const script = join(folder, 'script.sql');
    const args = input.types.map((type, i) => `params[${i + 1}]::${type}`).join(', ');
    await writeFile(
      script,
      `select ${input.call}(${args}) from bench_params where n = (select nextval('bench_next'));\n`,
    );
    const flags = `-n -M prepared -c ${connections} -j 2 -t ${perClient} --log`.split(' ');
    const cpu = input.measure();
    await run(
      'pgbench',
      [...flags, `--log-prefix=${join(folder, 'log')}`, '-f', script, input.databaseUrl],
      { maxBuffer: 10_000_000 },
    );
    const { postgres: postgresSeconds } = cpu(0);
    const logs = (await readdir(folder)).filter((name) => name.startsWith('log'));
    const texts = await Promise.all(logs.map((name) => readFile(join(folder, name), 'utf8')));
    const seen = texts
      .flatMap((text) => text.trim().split('\n'))
      .map((line) => readLog(line))
      .filter(({ number }) => number > input.warmUp);
    const start = Math.min(...seen.map(({ end, latency }) => end - latency));
    const seconds = (Math.max(...seen.map(({ end }) => end)) - start) / 1_000_000;
    return {
      perSecond: seen.length / seconds,
      latenciesMs: seen.map(({ latency }) => latency / 1000),
      postgresSeconds,
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
