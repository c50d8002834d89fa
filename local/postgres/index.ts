import { type ChildProcess, spawn } from 'node:child_process';
import { appendFileSync, chownSync, closeSync, existsSync, mkdirSync, openSync } from 'node:fs';
import { readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Client, escapeIdentifier } from 'pg';
import { findPrograms, type Owner, placeFor, type Programs } from './binaries.ts';
import { clearLeftovers, endProcess, readLock } from './leftovers.ts';

/** A running server. `close` resolves once no process of it is left. */
type Postgres = { url: string; port: number; close: () => Promise<void> };

type PostgresOptions = {
  /** Holds the cluster (`data/`) and its log; made if missing. */
  directory: string;
  /** Absent: a free one below 32768, out of the way of outgoing connections. */
  port?: number;
  /** Fast instead of durable, empty at the start, and wiped at the end. */
  ephemeral?: boolean;
  /** Made if missing; absent: `rowloom`. */
  database?: string;
};

/** A cluster's folder, its `data` in there, and the programs (with the user) that serve it. */
type Place = { directory: string; data: string; programs: Programs };

const common = [
  'listen_addresses=127.0.0.1',
  'unix_socket_directories=',
  'max_connections=200',
  'TimeZone=UTC',
  'log_timezone=UTC',
  'log_min_messages=warning',
  'log_checkpoints=off',
  'logging_collector=off',
];
const fast = [
  'fsync=off',
  'synchronous_commit=off',
  'full_page_writes=off',
  'wal_level=minimal',
  'max_wal_senders=0',
];

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)));
  });
}

async function freePort(): Promise<number> {
  for (let tries = 0; tries < 100; tries += 1) {
    const port = 20_000 + Math.floor(Math.random() * 12_000);
    if (await isFree(port)) return port;
  }
  throw new Error('no free port between 20000 and 32000');
}

/** Our environment without PG* variables, which would bend both programs, and in plain English. */
function environment(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !name.startsWith('PG'));
  return { ...Object.fromEntries(kept), LC_ALL: 'C' };
}

const tail = (file: string): string => readFileSync(file, 'utf8').slice(-2000).trim();

/** Starts a program in its own session, so that Ctrl-C in a terminal meets only our process. */
function run(place: Place, program: 'initdb' | 'postgres', flags: string[]): ChildProcess {
  const logFile = join(place.directory, `${program}.log`);
  const log = openSync(logFile, 'w');
  const child = spawn(place.programs[program], flags, {
    cwd: place.directory,
    env: environment(),
    stdio: ['ignore', log, log],
    detached: true,
    ...place.programs.owner,
  });
  closeSync(log);
  child.once('error', (error) => {
    appendFileSync(logFile, error.message);
    child.emit('exit', 1, null);
  });
  return child;
}

/** Builds the cluster with Neon's collation, C.UTF-8, and the password `postgres`. */
async function initialise(place: Place, isFast: boolean): Promise<void> {
  const passwordFile = join(place.directory, 'password');
  const unfinished = `${place.data}.unfinished`;
  rmSync(unfinished, { recursive: true, force: true });
  writeFileSync(passwordFile, 'postgres\n', { mode: 0o600 });
  const { owner } = place.programs;
  if (owner) chownSync(passwordFile, owner.uid, owner.gid);
  const child = run(place, 'initdb', [
    `--pgdata=${unfinished}`,
    `--pwfile=${passwordFile}`,
    '--username=postgres',
    // Neon takes clear-text passwords inside its WebSocket tunnel too.
    '--auth=password',
    '--encoding=UTF8',
    '--locale=C',
    '--locale-provider=builtin',
    '--builtin-locale=C.UTF-8',
    ...(isFast ? ['--no-sync'] : []),
  ]);
  const code = await new Promise((resolve) => child.once('exit', resolve));
  rmSync(passwordFile, { force: true });
  if (code !== 0) throw new Error(`initdb failed: ${tail(join(place.directory, 'initdb.log'))}`);
  renameSync(unfinished, place.data);
}

async function startServer(place: Place, port: number, settings: string[]): Promise<ChildProcess> {
  const logFile = join(place.directory, 'postgres.log');
  const flags = settings.flatMap((setting) => ['-c', setting]);
  const child = run(place, 'postgres', ['-D', place.data, '-p', String(port), ...flags]);
  child.unref();
  let hasExited = false;
  child.once('exit', () => (hasExited = true));
  for (const end = Date.now() + 30_000; Date.now() < end; await pause(5)) {
    const lock = readLock(place.data);
    if (lock?.pid === child.pid && lock?.ready) return child;
    if (hasExited) throw new Error(`Postgres did not start: ${tail(logFile)}`);
  }
  child.kill('SIGKILL');
  throw new Error(`Postgres is not ready after 30 s: ${tail(logFile)}`);
}

/** Starts on the port given, or on a free one, again if another process was quicker to take it. */
async function startOnPort(place: Place, port: number | undefined, settings: string[]) {
  for (let tries = 1; ; tries += 1) {
    const chosen = port ?? (await freePort());
    try {
      return { child: await startServer(place, chosen, settings), port: chosen };
    } catch (error) {
      const isTaken = String(error).includes('could not bind');
      if (port !== undefined || !isTaken || tries === 3) throw error;
    }
  }
}

async function ensureDatabase(port: number, name: string): Promise<void> {
  const client = new Client(`postgres://postgres:postgres@127.0.0.1:${port}/postgres`);
  // A server that ends meanwhile is told by the query that it cuts; unheard, this would end the process.
  client.on('error', () => undefined);
  await client.connect();
  try {
    const found = await client.query('select 1 from pg_database where datname = $1', [name]);
    if (found.rowCount === 0) await client.query(`create database ${escapeIdentifier(name)}`);
  } finally {
    await client.end();
  }
}

const ownerFile = (directory: string): string => join(directory, 'owner.pid');

function readOwner(directory: string): number | undefined {
  const file = ownerFile(directory);
  return existsSync(file) ? Number(readFileSync(file, 'utf8')) : undefined;
}

/** Ends what still runs in `directory` after a crash and deletes it, unless its owner is alive. */
export async function removePostgres(directory: string): Promise<void> {
  await clearLeftovers(join(directory, 'data'), readOwner(directory));
  rmSync(directory, { recursive: true, force: true });
}

/** The user of a cluster that exists stays its user, even if we have become root since. */
function ownerOf(data: string, owner: Owner | undefined): Owner | undefined {
  if (!owner || !existsSync(data)) return owner;
  const { uid, gid } = statSync(data);
  return uid === 0 ? owner : { uid, gid };
}

async function prepare(options: PostgresOptions, isEphemeral: boolean): Promise<Place> {
  const found = findPrograms();
  const directory = placeFor(options.directory, found.owner);
  const data = join(directory, 'data');
  if (isEphemeral) await removePostgres(directory);
  else await clearLeftovers(data, readOwner(directory));
  const owner = ownerOf(data, found.owner);
  mkdirSync(directory, { recursive: true, mode: 0o755 });
  if (owner) chownSync(directory, owner.uid, owner.gid);
  writeFileSync(ownerFile(directory), String(process.pid));
  const place = { directory, data, programs: { ...found, owner } };
  if (!existsSync(data)) await initialise(place, isEphemeral);
  return place;
}

/**
 * Starts PostgreSQL 18 on 127.0.0.1, as another user when we are root, after clearing what a killed
 * predecessor left in `directory`. It also stops when our process exits without `close`.
 * @throws Error with the end of the server's log, or naming the process that uses the directory.
 */
export async function startPostgres(options: PostgresOptions): Promise<Postgres> {
  const { ephemeral = false, database = 'rowloom' } = options;
  const place = await prepare(options, ephemeral);
  const settings = ephemeral ? [...common, ...fast] : common;
  const { child, port } = await startOnPort(place, options.port, settings);
  const pid = child.pid ?? 0;
  const stopSignal = ephemeral ? 'SIGQUIT' : 'SIGINT';
  const atExit = () => child.kill(stopSignal);
  process.once('exit', atExit);

  const stop = async () => {
    process.off('exit', atExit);
    await endProcess(pid, [stopSignal, 'SIGQUIT', 'SIGKILL']);
    const finished = ephemeral ? place.directory : ownerFile(place.directory);
    rmSync(finished, { recursive: true, force: true });
  };
  let stopping: Promise<void> | undefined;
  const close = () => (stopping ??= stop());
  try {
    await ensureDatabase(port, database);
  } catch (error) {
    await close();
    throw error;
  }
  return { url: `postgres://postgres:postgres@127.0.0.1:${port}/${database}`, port, close };
}
