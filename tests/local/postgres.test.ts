import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { afterAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { migrate } from '../../db/migrate.ts';
import { removePostgres, startPostgres } from '../../local/postgres/index.ts';

const folder = mkdtempSync(join(tmpdir(), 'rowloom-postgres-test-'));
chmodSync(folder, 0o755);
const lasting = join(folder, 'lasting');
const module = new URL('../../local/postgres/index.ts', import.meta.url).href;
const children: ChildProcess[] = [];

afterAll(async () => {
  for (const child of children) child.kill('SIGKILL');
  await removePostgres(lasting);
  rmSync(folder, { recursive: true, force: true });
});

async function query(url: string, text: string): Promise<unknown[][]> {
  const client = new Client(url);
  await client.connect();
  const { rows } = await client.query<unknown[]>({ text, rowMode: 'array' });
  await client.end();
  return rows;
}

/** A process that nobody has waited for yet (Z) has ended all the same. */
function isRunning(pid: number): boolean {
  const state = spawnSync('ps', ['-o', 'stat=', '-p', String(pid)], { encoding: 'utf8' }).stdout;
  return state !== '' && !state.startsWith('Z');
}

const serverPid = (directory: string): number =>
  Number(readFileSync(join(directory, 'data', 'postmaster.pid'), 'utf8').split('\n')[0]);

/** Starts Postgres from a process of its own, which then runs `code`; gives its URL. */
async function startInChild(code: string): Promise<{ child: ChildProcess; url: string }> {
  const script = `import { startPostgres } from '${module}';
    const postgres = await startPostgres({ directory: ${JSON.stringify(lasting)} });
    ${code}
    console.log(postgres.url);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    detached: true,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  const line = await new Promise<string>((resolve, reject) => {
    child.stdout.once('data', (data: Buffer) => resolve(data.toString().trim()));
    child.once('exit', () => reject(new Error('the child ended before Postgres ran')));
  });
  return { child, url: line };
}

const exitOf = (child: ChildProcess): Promise<number | null> =>
  new Promise((resolve) => child.once('exit', resolve));

describe('an ephemeral server', () => {
  test('may be closed while it is migrated: that fails, and nothing else does', async () => {
    const postgres = await startPostgres({ directory: join(folder, 'migrated'), ephemeral: true });
    onTestFinished(() => postgres.close());
    const uncaught = vi.fn();
    process.on('uncaughtException', uncaught);
    onTestFinished(() => void process.off('uncaughtException', uncaught));
    const holder = new Client(postgres.url);
    holder.on('error', () => undefined);
    await holder.connect();
    // The migration waits for what is not committed.
    await holder.query('begin; create schema drizzle');
    const migrating = expect(migrate(postgres.url)).rejects.toThrow();
    const waiting = `select 1 from pg_stat_activity where wait_event_type = 'Lock'`;
    await expect.poll(() => query(postgres.url, waiting), { timeout: 10_000 }).toEqual([[1]]);
    await postgres.close();
    await migrating;
    expect(uncaught).not.toHaveBeenCalled();
  });

  test('is fast rather than durable, wants the password, and leaves nothing', async () => {
    const listeners = process.listenerCount('SIGINT');
    const directory = join(folder, 'fleeting');
    const postgres = await startPostgres({ directory, ephemeral: true, database: 'other' });
    expect(process.listenerCount('SIGINT')).toBe(listeners);
    expect(postgres.port).toBeLessThan(32_768);
    expect(postgres.url).toBe(`postgres://postgres:postgres@127.0.0.1:${postgres.port}/other`);
    const shown = `select current_setting('fsync'), current_setting('TimeZone'),
      current_setting('max_connections'), current_setting('listen_addresses'),
      (select datlocale from pg_database where datname = 'other'), current_setting('server_version')`;
    const [row] = await query(postgres.url, shown);
    expect(row?.slice(0, 5)).toEqual(['off', 'UTC', '200', '127.0.0.1', 'C.UTF-8']);
    expect(row?.[5]).toMatch(/^18\./);
    const wrong = postgres.url.replace(':postgres@', ':wrong@');
    await expect(query(wrong, 'select 1')).rejects.toMatchObject({ code: '28P01' });
    const pid = serverPid(directory);
    expect(isRunning(pid)).toBe(true);
    await Promise.all([postgres.close(), postgres.close()]);
    expect(isRunning(pid)).toBe(false);
    expect(existsSync(directory)).toBe(false);
  });
});

describe('a lasting server', () => {
  test('keeps its data, and its directory to itself', async () => {
    const first = await startPostgres({ directory: lasting });
    await query(first.url, 'create table kept as select 7 as n');
    await expect(startPostgres({ directory: lasting })).rejects.toThrow(
      `already runs on ${join(lasting, 'data')}, started by process ${process.pid}`,
    );
    await first.close();
    const second = await startPostgres({ directory: lasting });
    expect(await query(second.url, 'select n from kept')).toEqual([[7]]);
    expect(await query(second.url, 'show fsync')).toEqual([['on']]);
    await second.close();
  });

  test('that outlived its killed parent is replaced', async () => {
    const { child, url } = await startInChild('setInterval(() => {}, 1000);');
    await query(url, 'create table written as select 8 as n');
    const orphan = serverPid(lasting);
    const gone = exitOf(child);
    child.kill('SIGKILL');
    await gone;
    expect(isRunning(orphan)).toBe(true);
    const next = await startPostgres({ directory: lasting });
    expect(isRunning(orphan)).toBe(false);
    expect(await query(next.url, 'select n from written')).toEqual([[8]]);
    await next.close();
  });

  test('starts where a lock names the pid of a stranger', async () => {
    const lock = join(lasting, 'data', 'postmaster.pid');
    writeFileSync(
      lock,
      `${process.pid}\n${join(lasting, 'data')}\n0\n1\n\n127.0.0.1\n0 0\nready\n`,
    );
    const postgres = await startPostgres({ directory: lasting });
    expect(serverPid(lasting)).not.toBe(process.pid);
    await postgres.close();
  });

  test('is closed by its parent at Ctrl-C, which signals the whole group', async () => {
    const { child } = await startInChild(`process.once('SIGINT', async () => {
        await postgres.close();
        process.exit(7);
      });
      setInterval(() => {}, 1000);`);
    const pid = serverPid(lasting);
    const code = exitOf(child);
    process.kill(-(child.pid ?? 0), 'SIGINT');
    expect(await code).toBe(7);
    expect(isRunning(pid)).toBe(false);
  });

  test('stops when its parent exits without closing it', async () => {
    const { child } = await startInChild('setTimeout(() => process.exit(3), 300);');
    const pid = serverPid(lasting);
    expect(await exitOf(child)).toBe(3);
    await expect.poll(() => isRunning(pid), { timeout: 5000 }).toBe(false);
  });
});
