import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { settingNames } from '../../local/stack/settings.ts';

/** The repository. */
export const root = join(import.meta.dirname, '../..');

/** No setting at all, so that a developer's `.dev.vars` and environment stay out of the tests. */
export const noSettings = Object.fromEntries(settingNames.map((name) => [name, '']));

/** A command of package.json under test. */
export type Command = {
  child: ChildProcess;
  pid: number;
  stdout: () => string;
  stderr: () => string;
  exit: Promise<number | string>;
};

/** Runs a program in the repository without any of the Worker's settings; its output is kept. */
export function run(program: string, args: string[], env: Record<string, string> = {}): Command {
  const all = { ...process.env, NODE_OPTIONS: '', ...noSettings, ...env };
  const child = spawn(program, args, { cwd: root, env: all });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const exit = new Promise<number | string>((resolve) => {
    child.once('close', (code, signal) => resolve(code ?? signal ?? 'unknown'));
  });
  return { child, pid: child.pid ?? 0, stdout: () => stdout, stderr: () => stderr, exit };
}

/** Runs `node local/…` as the scripts of package.json do. */
export const command = (
  script: string,
  args: string[],
  env: Record<string, string> = {},
): Command => run(process.execPath, [script, ...args], env);

/** Everything below a process that runs now. */
export function descendants(pid: number): number[] {
  const parents = readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? [];
      return stat[0] === 'Z' ? [] : [{ pid: Number(name), parent: Number(stat[1]) }];
    } catch {
      return [];
    }
  });
  const found: number[] = [pid];
  for (const above of found)
    found.push(...parents.filter(({ parent }) => parent === above).map((one) => one.pid));
  return found.slice(1);
}

/** The command line of a live process, or undefined. */
export function commandLine(pid: number): string | undefined {
  const file = `/proc/${pid}/cmdline`;
  if (!existsSync(file)) return undefined;
  try {
    return readFileSync(file, 'utf8').replaceAll('\0', ' ').trim() || undefined;
  } catch {
    return undefined;
  }
}

/** Temporary folders of runs whose owner is `pid`. */
export function runFolders(pid: number): string[] {
  const folders = readdirSync(tmpdir()).filter((name) => name.startsWith('rowloom-run-'));
  return folders.filter((name) => {
    const file = join(tmpdir(), name, 'owner.json');
    try {
      return (JSON.parse(readFileSync(file, 'utf8')) as { pid: number }).pid === pid;
    } catch {
      return false;
    }
  });
}
