import { readFile, rm, writeFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { isAlive, type Mark, markOf } from '../stack/processes.ts';

const patienceMs = 120_000;

async function holderOf(file: string): Promise<Mark | undefined> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as Mark;
  } catch {
    return undefined;
  }
}

/** Takes the lock, or says that somebody alive has it. One whose holder died is broken. */
async function take(file: string): Promise<boolean> {
  try {
    await writeFile(file, JSON.stringify(markOf(process.pid, '')), { flag: 'wx' });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    const holder = await holderOf(file);
    if (holder && !isAlive(holder)) await rm(file, { force: true });
    return false;
  }
}

/**
 * Does `work` while no other process on this machine does it under the same lock file.
 * @throws Error if the lock is not given up within two minutes.
 */
export async function withLock<T>(file: string, work: () => Promise<T>): Promise<T> {
  const deadline = Date.now() + patienceMs;
  while (!(await take(file))) {
    if (Date.now() > deadline) throw new Error(`${file} is held; remove it if nobody builds.`);
    await delay(50);
  }
  try {
    return await work();
  } finally {
    await rm(file, { force: true });
  }
}
