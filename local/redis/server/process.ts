import { spawn, type ChildProcess } from 'node:child_process';
import { constants } from 'node:fs';
import { access, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { delimiter, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Connection } from './connection.ts';
import { cleanUp, remember } from './leftovers.ts';

/** Above 32768 the kernel hands out ports for outgoing connections. */
const [MIN_PORT, MAX_PORT] = [20_000, 32_000];
const START_MS = 5000;

export type RunningServer = { port: number; connection: Connection; stop: () => Promise<void> };

/** The path of `redis-server` on PATH, if there is one. */
export async function findServer(): Promise<string | undefined> {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter).filter(Boolean)) {
    const path = join(folder, 'redis-server');
    const found = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (found) return path;
  }
  return undefined;
}

async function freePort(): Promise<number> {
  for (let tries = 0; tries < 50; tries += 1) {
    const port = MIN_PORT + Math.floor(Math.random() * (MAX_PORT - MIN_PORT));
    const free = await new Promise<boolean>((resolve) => {
      const probe = createServer();
      probe.once('error', () => resolve(false));
      probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)));
    });
    if (free) return port;
  }
  throw new Error(`no free port between ${MIN_PORT} and ${MAX_PORT}`);
}

const exited = (child: ChildProcess) => child.exitCode !== null || child.signalCode !== null;

const exitOf = (child: ChildProcess) =>
  exited(child)
    ? Promise.resolve()
    : new Promise<void>((resolve) => {
        child.once('exit', () => resolve());
      });

async function connectTo(child: ChildProcess, port: number): Promise<Connection> {
  const until = Date.now() + START_MS;
  while (!exited(child) && Date.now() < until) {
    const connection = await Connection.open(port).catch(() => undefined);
    if (connection) return connection;
    await pause(20);
  }
  throw new Error(`redis-server did not come up on port ${port}`);
}

/**
 * Starts a redis-server without persistence on a free port below 32768, after ending what a
 * crashed run left behind. Throws when it does not come up.
 */
export async function startServer(path: string, directory: string): Promise<RunningServer> {
  await cleanUp(directory);
  const port = await freePort();
  const settings = { port, bind: '127.0.0.1', save: '', appendonly: 'no', daemonize: 'no' };
  const args = Object.entries(settings).flatMap(([key, value]) => [`--${key}`, String(value)]);
  const child = spawn(path, args, { stdio: 'ignore', cwd: directory });
  const endNow = () => child.kill('SIGKILL');
  process.once('exit', endNow);
  const failed = new Promise<never>((_, reject) => {
    child.once('error', reject);
  });
  const stop = async (file?: string) => {
    process.off('exit', endNow);
    child.kill('SIGTERM');
    const timer = setTimeout(endNow, 2000);
    if (child.pid !== undefined) await exitOf(child);
    clearTimeout(timer);
    if (file) await rm(file, { force: true });
  };
  let file: string | undefined;
  try {
    await Promise.race([failed, new Promise((resolve) => child.once('spawn', resolve))]);
    file = await remember(directory, child.pid ?? 0, port);
    const connection = await Promise.race([failed, connectTo(child, port)]);
    return {
      port,
      connection,
      stop: () => {
        connection.close();
        return stop(file);
      },
    };
  } catch (error) {
    await stop(file);
    throw error;
  }
}
