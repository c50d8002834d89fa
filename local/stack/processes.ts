import { AsyncLocalStorage } from 'node:async_hooks';
import { type ChildProcess, execFileSync } from 'node:child_process';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** A process as a pid file remembers it: pids are used again, so its command and start go along. */
export type Mark = { pid: number; command: string; startedAt: string };

/** Command line and start time of a live process; undefined when there is none (or a zombie). */
function look(pid: number): { command: string; startedAt: string } | undefined {
  try {
    if (existsSync('/proc/self/stat')) {
      const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
      if (fields[0] === 'Z') return undefined;
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
      return { command, startedAt: fields[19] ?? '' };
    }
    const ps = (column: string): string =>
      execFileSync('ps', ['-ww', '-o', `${column}=`, '-p', String(pid)], { encoding: 'utf8' });
    return { command: ps('args').trim(), startedAt: ps('lstart').trim() };
  } catch {
    return undefined;
  }
}

/** How to recognise process `pid` later. `command` is what its command line must contain. */
export function markOf(pid: number, command: string): Mark {
  return { pid, command, startedAt: look(pid)?.startedAt ?? '' };
}

/** Whether the process that was marked still runs. */
export function isAlive(mark: Mark): boolean {
  const now = look(mark.pid);
  return (
    now !== undefined && now.startedAt === mark.startedAt && now.command.includes(mark.command)
  );
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It ended by itself in this very moment.
  }
}

/** To the group that `pid` leads, if it leads one, so that helpers of its own go with it. */
function signalGroup(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(-pid, name);
  } catch {
    signal(pid, name);
  }
}

/** Ends marked processes: SIGINT (a fast, clean shutdown for Postgres), SIGKILL after `patienceMs`. */
export async function endAll(marks: Mark[], patienceMs = 3_000): Promise<void> {
  const alive = marks.filter(isAlive);
  for (const { pid } of alive) signalGroup(pid, 'SIGINT');
  const deadline = Date.now() + patienceMs;
  while (alive.some(isAlive) && Date.now() < deadline) await delay(20);
  for (const { pid } of alive) signalGroup(pid, 'SIGKILL');
  while (alive.some(isAlive) && Date.now() < deadline + 2_000) await delay(20);
}

/** The pid files in a folder; unreadable ones (a crash in mid-write) are skipped. */
export function marksIn(folder: string): Mark[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder).flatMap((name) => {
    try {
      return [JSON.parse(readFileSync(join(folder, name), 'utf8')) as Mark];
    } catch {
      return [];
    }
  });
}

/** The children of one run. */
export type Children = {
  /** Calls `work`; every process started in it, by whichever module, is a child of this run. */
  within: <T>(work: () => T) => T;
  alive: () => ChildProcess[];
  /** Called with every child that ends, until `stop`. */
  onExit: (listener: (child: ChildProcess, how: string) => void) => void;
  stop: () => void;
};

const currentRun = new AsyncLocalStorage<string>();

/**
 * Keeps a pid file in `folder` for every child of a run, so that what a SIGKILL leaves behind can be
 * found again.
 */
export function trackChildren(folder: string): Children {
  mkdirSync(folder, { recursive: true });
  const children = new Set<ChildProcess>();
  const listeners: ((child: ChildProcess, how: string) => void)[] = [];
  const seen = (message: unknown): void => {
    if (currentRun.getStore() !== folder) return;
    const child = (message as { process: ChildProcess }).process;
    // The channel speaks before the process exists.
    setImmediate(() => {
      const { pid } = child;
      if (pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
      const file = join(folder, `${pid}.json`);
      children.add(child);
      writeFileSync(file, JSON.stringify(markOf(pid, basename(child.spawnfile))));
      child.once('exit', (code, signalName) => {
        children.delete(child);
        rmSync(file, { force: true });
        for (const listener of listeners) listener(child, signalName ?? `code ${code}`);
      });
    });
  };
  subscribe('child_process', seen);
  return {
    within: (work) => currentRun.run(folder, work),
    alive: () => [...children],
    onExit: (listener) => void listeners.push(listener),
    stop: () => void unsubscribe('child_process', seen),
  };
}
