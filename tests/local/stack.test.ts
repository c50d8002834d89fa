import { spawn } from 'node:child_process';
import { existsSync, symlinkSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { type Stack, startStack } from '../../local/stack.ts';
import { cronMatches } from '../../local/stack/cron.ts';
import { abandonAll, temporaryRun } from '../../local/stack/run-directory.ts';
import { command, commandLine, descendants, run, runFolders } from './children.ts';

type Ready = Pick<Stack, 'api' | 'services' | 'secrets'> & { event: string };

const services = ['postgres', 'neon', 'qstash', 'redis', 'stripe', 'providers'];
const secrets = `stripeWebhookSecret qstashCurrentSigningKey qstashNextSigningKey qstashToken
  adminToken authJwtSecret`.split(/\s+/);
const onlyLinux = process.platform === 'linux' ? describe : describe.skip;
const isAlive = (pid: number): boolean => commandLine(pid) !== undefined;
const options = { ephemeral: true, environment: {}, crons: false, log: () => undefined };

async function devReady() {
  const dev = command('local/dev.ts', ['--ephemeral', '--json']);
  const isReady = async (): Promise<boolean> => dev.stdout().includes('\n');
  await vi.waitUntil(isReady, { timeout: 30_000 }).catch(() => {
    dev.child.kill('SIGTERM');
    throw new Error(`not ready: ${dev.stderr()}`);
  });
  return { dev, ready: JSON.parse(dev.stdout()) as Ready };
}

onlyLinux('npm run dev -- --ephemeral --json', () => {
  it(
    'says where everything is in one line, serves it, and leaves nothing after SIGINT',
    { timeout: 60_000 },
    async () => {
      const { dev, ready } = await devReady();
      expect(ready.event).toBe('ready');
      expect(Object.keys(ready.services)).toEqual(services);
      expect(Object.keys(ready.secrets).toSorted()).toEqual(secrets.toSorted());
      for (const value of Object.values(ready.secrets)) expect(value.length).toBeGreaterThan(16);
      expect((await fetch(`${ready.api}/readyz`)).status).toBe(200);

      const env = { AUTH_JWT_SECRET: ready.secrets.authJwtSecret };
      const token = command('local/token.ts', ['user-7', 'ada@example.com'], env);
      expect(await token.exit).toBe(0);
      const headers = { authorization: `Bearer ${token.stdout().trim()}` };
      const me = (await (await fetch(`${ready.api}/v1/me`, { headers })).json()) as object;
      expect(me).toMatchObject({ externalId: 'user-7', credits: { balance: 500 } });

      const pids = descendants(dev.pid);
      const running = pids.map(commandLine).join('\n');
      for (const name of ['workerd', 'postgres']) expect(running).toContain(name);
      expect(runFolders(dev.pid)).toHaveLength(1);
      dev.child.kill('SIGINT');
      expect(await dev.exit).toBe(0);
      expect(pids.filter(isAlive)).toEqual([]);
      expect(runFolders(dev.pid)).toEqual([]);
      expect(dev.stdout().trim().split('\n')).toHaveLength(1);
    },
  );

  it('stops when npm is gone, even in the middle of its start', { timeout: 60_000 }, async () => {
    const env = { npm_lifecycle_event: 'dev' };
    const npm = run('sh', ['-c', 'node local/dev.ts --ephemeral; :'], env);
    const postgres = (): string =>
      descendants(npm.pid).map(commandLine).join('\n').includes('postgres -D') ? 'up' : 'not yet';
    await expect.poll(postgres, { timeout: 15_000 }).toBe('up');
    const pids = descendants(npm.pid);
    npm.child.kill('SIGTERM');
    await expect.poll(() => pids.filter(isAlive), { timeout: 10_000 }).toEqual([]);
    await expect.poll(() => pids.flatMap(runFolders), { timeout: 10_000 }).toEqual([]);
  });

  it('abandons a folder whole, though a process on its way out removes files as well', async () => {
    const { path, children, release } = await temporaryRun();
    onTestFinished(release);
    // Named like the one program that is asked to end, not killed; it takes its time.
    const program = join(path, 'postgres');
    symlinkSync(process.execPath, program);
    const tidy = `const { mkdirSync, readdirSync, rmSync, writeFileSync } = require('node:fs');
      process.on('SIGQUIT', () => undefined);
      mkdirSync('data');
      for (let at = 0; at < 2000; at += 1) writeFileSync('data/' + at, '');
      writeFileSync('begun', '');
      for (const name of readdirSync('data')) rmSync('data/' + name, { force: true });`;
    children.within(() => spawn(program, ['-e', tidy], { cwd: path, stdio: 'ignore' }));
    const hasBegun = (): boolean => existsSync(join(path, 'begun'));
    await expect.poll(hasBegun, { timeout: 10_000, interval: 1 }).toBe(true);
    abandonAll();
    expect(existsSync(path)).toBe(false);
  });

  it('refuses unknown flags with 2 and a port that is taken with 1', async () => {
    const unknown = command('local/dev.ts', ['--efemeral']);
    expect(await unknown.exit).toBe(2);
    expect(unknown.stderr()).toContain('Usage: npm run dev');
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    const { port } = taken.address() as AddressInfo;
    const clash = command('local/dev.ts', ['--ephemeral', '--port', String(port)]);
    expect(await clash.exit).toBe(1);
    expect(clash.stderr()).toContain(`Port ${port} is taken`);
    taken.close();
  });
});

onlyLinux('a stack', () => {
  let stack: Stack;
  let orphans: number[];
  let crashed: number;
  const deaths: string[] = [];
  beforeAll(async () => {
    const { dev } = await devReady();
    crashed = dev.pid;
    const pids = descendants(dev.pid);
    dev.child.kill('SIGKILL');
    await dev.exit;
    orphans = pids.filter(isAlive);
    stack = await startStack({ ...options, onDeath: (what) => deaths.push(what) });
  });
  afterAll(() => stack.close());

  it('ends at its start what a killed one left behind', () => {
    expect(orphans.length).toBeGreaterThanOrEqual(2);
    expect(orphans.filter(isAlive)).toEqual([]);
    expect(runFolders(crashed)).toEqual([]);
  });

  it('starts no stand-in for what the environment names', async () => {
    const { PUBLIC_URL, ...environment } = stack.env;
    expect(PUBLIC_URL).toBe(stack.api);
    const other = await startStack({ ...options, environment });
    const started = Object.entries(other.handles).filter(([, handle]) => handle !== undefined);
    const { status } = await fetch(`${other.api}/readyz`);
    await other.close();
    expect(started).toEqual([]);
    const { providers: _, ...services } = stack.services;
    expect(other.services).toMatchObject(services);
    expect(status).toBe(200);
    expect((await fetch(`${stack.api}/readyz`)).status).toBe(200);
  });

  it('issues tokens that the Worker takes, with the e-mail verified or not', async () => {
    const token = await stack.token('someone', 'some@example.com');
    const headers = { authorization: `Bearer ${token}` };
    const me = (await (await fetch(`${stack.api}/v1/me`, { headers })).json()) as object;
    expect(me).toMatchObject({ externalId: 'someone', email: 'some@example.com' });
  });

  it("tells a receiver on this machine of a job's end", { timeout: 60_000 }, async () => {
    const told: unknown[] = [];
    const receiver = createHttpServer((request, response) => {
      void json(request).then((body) => told.push(body));
      response.end();
    });
    await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void receiver.close());
    const { port } = receiver.address() as AddressInfo;
    const authorization = `Bearer ${await stack.token('listener', 'listener@example.com')}`;
    const headers = { authorization, 'content-type': 'application/json' };
    const notifyUrl = `http://127.0.0.1:${port}/ended`;
    const body = JSON.stringify({ filename: 'leads.csv', notifyUrl });
    const created = await fetch(`${stack.api}/v1/jobs`, { method: 'POST', headers, body });
    const { job, upload } = (await created.json()) as {
      job: { id: string };
      upload: { url: string };
    };
    const csv = 'Company\nAcme GmbH\n';
    await fetch(upload.url, { method: 'PUT', headers: { authorization }, body: csv });
    await expect
      .poll(() => told, { timeout: 30_000 })
      .toMatchObject([{ type: 'job.completed', data: { jobId: job.id, rows: { succeeded: 1 } } }]);
  });

  it('tells of a death, but not of a restart that was asked for', async () => {
    await stack.worker.restart();
    expect((await fetch(`${stack.api}/healthz`)).status).toBe(200);
    expect(deaths).toEqual([]);
    process.kill(stack.worker.pid ?? 0, 'SIGKILL');
    await expect.poll(() => deaths.join()).toContain('workerd');
  });
});

onlyLinux('a start that does not end well', () => {
  it('leaves nothing when a part fails', async () => {
    const before = descendants(process.pid);
    const environment = { DATABASE_URL: 'postgres://nobody:none@127.0.0.1:9/none' };
    await expect(startStack({ ...options, environment })).rejects.toThrow('ECONNREFUSED');
    expect(descendants(process.pid).filter((pid) => !before.includes(pid))).toEqual([]);
    expect(runFolders(process.pid)).toEqual([]);
  });

  it('leaves nothing when it is aborted half way', async () => {
    const before = descendants(process.pid);
    const stop = new AbortController();
    setTimeout(() => stop.abort(new Error('enough')), 400);
    await expect(startStack({ ...options, signal: stop.signal })).rejects.toThrow('enough');
    expect(descendants(process.pid).filter((pid) => !before.includes(pid))).toEqual([]);
    expect(runFolders(process.pid)).toEqual([]);
  });
});

it.each([
  ['* * * * *', '2026-11-21T04:05:00Z', true],
  ['17 3 * * *', '2026-11-21T03:17:30Z', true],
  ['17 3 * * *', '2026-11-21T03:18:00Z', false],
  ['*/15 * * * *', '2026-11-21T03:45:00Z', true],
  ['*/15 * * * *', '2026-11-21T03:46:00Z', false],
  ['0 9-17 * * 2-6', '2026-11-20T17:00:00Z', true],
  ['0 9-17 * * 2-6', '2026-11-21T17:00:00Z', false],
])('cron %s at %s: %s', (cron, at, matches) => {
  expect(cronMatches(cron, new Date(at))).toBe(matches);
});
