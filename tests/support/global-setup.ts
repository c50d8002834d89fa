import { readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import type { TestProject } from 'vitest/node';
import { migrate } from '../../db/migrate.ts';
import { startNeonProxy } from '../../local/neon-proxy/index.ts';
import { removePostgres, startPostgres } from '../../local/postgres/index.ts';
import { neverCalled, trackCalls } from './called-functions.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** Of the database `postgres`, for creating and dropping others. */
    postgresUrl: string;
    /** Of the Neon proxy: `/sql` and `/v2` stand below it. */
    neonUrl: string;
    /** Migrated, and closed to connections, so that it can be copied at any time. */
    templateDatabase: string;
  }
}

const prefix = 'rowloom-test-';
const templateDatabase = 'rowloom_template';
const closers: (() => Promise<void>)[] = [];

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Runs that were killed leave a server and a folder, named after their process. */
async function sweep(): Promise<void> {
  for (const name of readdirSync(tmpdir())) {
    const owner = Number(name.startsWith(prefix) ? name.slice(prefix.length) : Number.NaN);
    if (Number.isInteger(owner) && !isAlive(owner)) await removePostgres(join(tmpdir(), name));
  }
}

async function makeTemplate(postgresUrl: string, url: string): Promise<void> {
  await migrate(url);
  await trackCalls(postgresUrl, url);
  const client = new Client(postgresUrl);
  await client.connect();
  await client.query(`alter database ${templateDatabase} allow_connections false`);
  await client.end();
}

async function demandCalls(postgresUrl: string, { vitest }: TestProject): Promise<void> {
  const missed = await neverCalled(postgresUrl, vitest);
  if (missed.length === 0) return;
  console.error(`No test of the db layer calls: ${missed.join(', ')}`);
  process.exitCode = 1;
}

async function start(project: TestProject): Promise<void> {
  const directory = join(tmpdir(), `${prefix}${process.pid}`);
  const postgres = await startPostgres({ directory, ephemeral: true, database: templateDatabase });
  closers.push(postgres.close);
  const postgresUrl = postgres.url.replace(/\/[^/]*$/, '/postgres');
  closers.push(() => demandCalls(postgresUrl, project));
  const neon = await startNeonProxy();
  closers.push(neon.close);
  await makeTemplate(postgresUrl, postgres.url);
  project.provide('postgresUrl', postgresUrl);
  project.provide('neonUrl', neon.url);
  project.provide('templateDatabase', templateDatabase);
}

/** One Postgres and one Neon proxy for the whole run; the unit layer alone goes without. */
export async function setup(project: TestProject): Promise<void> {
  if (project.vitest.projects.every(({ name }) => name === 'unit')) return;
  await sweep();
  try {
    await start(project);
  } catch (error) {
    await teardown();
    throw error;
  }
}

export async function teardown(): Promise<void> {
  for (const close of closers.splice(0).toReversed()) await close();
}
