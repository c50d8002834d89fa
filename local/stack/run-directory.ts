import { existsSync, readFileSync, rmSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type Children,
  endAll,
  isAlive,
  type Mark,
  markOf,
  marksIn,
  trackChildren,
} from './processes.ts';

/** The folder of one run: its state, and the pid files of everything it started. */
export type RunDirectory = {
  path: string;
  children: Children;
  /** Ends what still runs, gives the folder up and, if it was a temporary one, removes it. */
  release: () => Promise<void>;
};

const prefix = 'rowloom-run-';
const ownerFile = (path: string): string => join(path, 'owner.json');

function ownerOf(path: string): Mark | undefined {
  try {
    return JSON.parse(readFileSync(ownerFile(path), 'utf8')) as Mark;
  } catch {
    return undefined;
  }
}

/** Ends what a dead owner left running in `path`. */
async function cleanUp(path: string): Promise<void> {
  await endAll(marksIn(join(path, 'processes')));
  await rm(join(path, 'processes'), { recursive: true, force: true });
  await rm(ownerFile(path), { force: true });
}

/** Ends and removes what crashed runs left in the temporary folder. Gives their number. */
async function removeLeftovers(): Promise<number> {
  const names = await readdir(tmpdir());
  const paths = names.filter((name) => name.startsWith(prefix)).map((name) => join(tmpdir(), name));
  const dead = paths.filter((path) => {
    const owner = ownerOf(path);
    return owner !== undefined && !isAlive(owner);
  });
  await Promise.all(
    dead.map(async (path) => {
      await cleanUp(path);
      // Another start may be at the same work.
      await rm(path, { recursive: true, force: true }).catch(() => undefined);
    }),
  );
  return dead.length;
}

const live = new Map<string, { children: Children; temporary: boolean }>();

/** Ends everything at once and without ceremony: at a second Ctrl-C, or when this process fails. */
export function abandonAll(): void {
  for (const [path, { children, temporary }] of live) {
    // To Postgres SIGQUIT is the immediate shutdown; SIGKILL would leave its backends behind.
    for (const child of children.alive())
      child.kill(child.spawnfile.endsWith('postgres') ? 'SIGQUIT' : 'SIGKILL');
    if (temporary) removeNow(path);
  }
}

/** Whole: `rmSync` stops in silence where another, such as a Postgres on its way out, removes a file first. */
function removeNow(path: string): void {
  for (const end = Date.now() + 3_000; existsSync(path) && Date.now() < end;)
    rmSync(path, { recursive: true, force: true, maxRetries: 10 });
}

async function own(path: string, temporary: boolean): Promise<RunDirectory> {
  await writeFile(ownerFile(path), JSON.stringify(markOf(process.pid, '')), { flag: 'wx' });
  const children = trackChildren(join(path, 'processes'));
  if (live.size === 0) process.on('exit', abandonAll);
  live.set(path, { children, temporary });
  return {
    path,
    children,
    release: async () => {
      children.stop();
      await cleanUp(path);
      if (temporary) await rm(path, { recursive: true, force: true, maxRetries: 3 });
      // Not before: a second signal, or a failure, may end this process in the middle.
      live.delete(path);
      if (live.size === 0) process.off('exit', abandonAll);
    },
  };
}

/** A fresh folder that is gone after `release`. Postgres under another uid must be able to enter it. */
export async function temporaryRun(): Promise<RunDirectory> {
  await removeLeftovers();
  const path = await mkdtemp(join(tmpdir(), prefix));
  await chmod(path, 0o755);
  return own(path, true);
}

/**
 * A lasting folder, for one stack at a time; leftovers of a crash in it are ended first.
 * @throws Error if a live stack has it.
 */
export async function lastingRun(path: string): Promise<RunDirectory> {
  await removeLeftovers();
  await mkdir(path, { recursive: true });
  const owner = ownerOf(path);
  if (owner && isAlive(owner))
    throw new Error(
      `Another stack (process ${owner.pid}) is using ${path}. Stop it first, or start with --ephemeral.`,
    );
  if (existsSync(ownerFile(path))) await cleanUp(path);
  return own(path, false);
}
