import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync, realpathSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

type Process = { parent: number; command: string; isPostgres: boolean };

const attempt = <T>(read: () => T): T | undefined => {
  try {
    return read();
  } catch {
    return undefined;
  }
};

/** What runs as `pid`: from /proc where there is one (slim images have no ps), otherwise from ps. */
function processOf(pid: number): Process | undefined {
  return attempt(() => {
    if (process.platform === 'linux') {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      if (state === 'Z') return undefined;
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
      return { parent: Number(parent), command, isPostgres: stat.includes('(postgres)') };
    }
    const line = execFileSync('ps', ['-o', 'ppid=,args=', '-p', String(pid)], { encoding: 'utf8' });
    return { parent: Number.parseInt(line, 10), command: line, isPostgres: /postgres/.test(line) };
  });
}

/** Servers and their backends stand in their data directory; a title may have replaced their arguments. */
function processesIn(data: string): number[] {
  if (process.platform !== 'linux') return [];
  const pids = readdirSync('/proc').map(Number).filter(Number.isInteger);
  return pids.filter(
    (pid) =>
      attempt(() => readlinkSync(`/proc/${pid}/cwd`)) === data &&
      processOf(pid)?.isPostgres === true,
  );
}

/** Reads `postmaster.pid`: the server's pid, and whether it says that it accepts connections. */
export function readLock(data: string): { pid: number; ready: boolean } | undefined {
  return attempt(() => {
    const lines = readFileSync(join(data, 'postmaster.pid'), 'utf8').split('\n');
    return { pid: Number(lines[0]), ready: lines[7]?.trim() === 'ready' };
  });
}

async function isGone(pid: number, wait_ms: number): Promise<boolean> {
  for (const end = Date.now() + wait_ms; Date.now() < end; await pause(10))
    if (!processOf(pid)) return true;
  return !processOf(pid);
}

/** Ends a process by ever harder signals; Postgres reads them as fast stop, then immediate stop. */
export async function endProcess(pid: number, signals: NodeJS.Signals[]): Promise<void> {
  for (const signal of signals) {
    attempt(() => process.kill(pid, signal));
    if (await isGone(pid, 8000)) return;
  }
  throw new Error(`process ${pid} does not end`);
}

/**
 * Clears what a killed process left on the cluster in `data`: its server, orphaned backends (they
 * hold the shared memory) and a lock that names a stranger's pid. A server whose parent is still
 * `ownerPid` is in use.
 * @throws Error naming that owner.
 */
export async function clearLeftovers(data: string, ownerPid: number | undefined): Promise<void> {
  const place = attempt(() => realpathSync(data));
  if (place === undefined) return;
  const lock = readLock(place);
  const found = lock && processOf(lock.pid);
  const isServer = found?.isPostgres === true && found.command.includes(data);
  if (lock && found && isServer) {
    if (found.parent === ownerPid)
      throw new Error(`Postgres already runs on ${data}, started by process ${ownerPid}`);
    await endProcess(lock.pid, ['SIGINT', 'SIGQUIT', 'SIGKILL']);
  }
  for (const pid of processesIn(place)) await endProcess(pid, ['SIGQUIT', 'SIGKILL']);
  if (found && !isServer) rmSync(join(place, 'postmaster.pid'), { force: true });
}
