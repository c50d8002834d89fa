import { execFile } from 'node:child_process';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import * as z from 'zod';

const run = promisify(execFile);
const FILE = /^redis-\d+\.json$/;
const note = z.object({
  pid: z.int(),
  port: z.int(),
  parentPid: z.int(),
  /** Tells the parent apart from a later process with its number. */
  parentCommand: z.string(),
});
type Note = z.infer<typeof note>;

/** A running process's command line; undefined when there is no such process. */
export async function commandLineOf(pid: number): Promise<string | undefined> {
  try {
    const { stdout } = await run('ps', ['-p', String(pid), '-o', 'command=']);
    return stdout.trim() || undefined;
  } catch {
    // No `ps` in slim containers; Linux tells the same in /proc.
    const raw = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    return raw.replaceAll('\0', ' ').trim() || undefined;
  }
}

const isOurs = (commandLine: string | undefined, port: number) =>
  /(?:redis|valkey)-server/.test(commandLine ?? '') && commandLine?.includes(`:${port}`) === true;

/** Notes down a redis-server, so that a later start can end it if this process is killed. */
export async function remember(directory: string, pid: number, port: number): Promise<string> {
  await mkdir(directory, { recursive: true });
  const file = join(directory, `redis-${port}.json`);
  const parentCommand = (await commandLineOf(process.pid)) ?? '';
  const content: Note = { pid, port, parentPid: process.pid, parentCommand };
  await writeFile(file, JSON.stringify(content));
  return file;
}

/** Ends the servers whose parent is gone; those of a running parent stay untouched. */
export async function cleanUp(directory: string): Promise<void> {
  const names = await readdir(directory).catch(() => []);
  for (const name of names.filter((name) => FILE.test(name))) {
    const file = join(directory, name);
    const parsed = note.safeParse(await readJson(file));
    if (parsed.success && !(await endOrphan(parsed.data))) continue;
    await rm(file, { force: true });
  }
}

/** Whether the note is spent: the server is gone, ended now, or was never what it says. */
async function endOrphan({ pid, port, parentPid, parentCommand }: Note): Promise<boolean> {
  if (!isOurs(await commandLineOf(pid), port)) return true;
  if ((await commandLineOf(parentPid)) === parentCommand) return false;
  process.kill(pid, 'SIGTERM');
  for (let tries = 0; tries < 40; tries += 1) {
    await pause(25);
    if (!isOurs(await commandLineOf(pid), port)) return true;
  }
  process.kill(pid, 'SIGKILL');
  return true;
}

async function readJson(file: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(file, 'utf8'));
  } catch {
    return undefined;
  }
}
