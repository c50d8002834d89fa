import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { buildWorker, startWorker, type WorkerHost } from '../../local/worker-host.ts';

const source = (greeting: string): string => `
const crons: string[] = [];
export default {
  async fetch(request: Request, env: Record<string, string>) {
    const { pathname } = new URL(request.url);
    if (pathname === '/env') return Response.json(env);
    if (pathname === '/crons') return Response.json(crons);
    if (pathname === '/fail') console.error(new Error('on purpose'));
    if (pathname === '/log') console.log('a line\\nof two', { of: 1 });
    if (pathname !== '/count') return new Response('${greeting}');
    let bytes = 0;
    for await (const chunk of request.body as AsyncIterable<Uint8Array>) bytes += chunk.length;
    return Response.json({ bytes });
  },
  scheduled(event: { cron: string }) {
    crons.push(event.cron);
    if (event.cron === '1 1 1 1 1') throw new Error('cron on purpose');
  },
};
`;

const root = mkdtempSync(join(tmpdir(), 'rowloom-test-'));
const lines: string[] = [];
const deaths: string[] = [];
const env = { NAME: 'line one\nand "two" \\ $HOME', EMPTY: '' };
let worker: WorkerHost;

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};
const get = (path: string): Promise<Response> => fetch(worker.url + path);

beforeAll(async () => {
  mkdirSync(join(root, 'functions'));
  writeFileSync(join(root, 'functions/worker.ts'), source('hello'));
  const toml = `name = "tiny"\nmain = "functions/worker.ts"\nminify = true\nupload_source_maps = true
compatibility_date = "2026-11-17"\ncompatibility_flags = ["nodejs_compat"]
[triggers]\ncrons = ["* * * * *"]\n[vars]\nKNOB = "from toml"\nEMPTY = "not empty"\n`;
  writeFileSync(join(root, 'wrangler.toml'), toml);
  symlinkSync(join(import.meta.dirname, '../../node_modules'), join(root, 'node_modules'));
  const log = (line: string): void => void lines.push(line);
  const onExit = (how: string): void => void deaths.push(how);
  worker = await startWorker({ root, env, log, onExit });
});

afterAll(async () => {
  await worker.close();
  rmSync(root, { recursive: true });
});

it('serves the bundle with the bindings given, over those of wrangler.toml', async () => {
  expect(await (await get('/env')).json()).toEqual({ ...env, KNOB: 'from toml' });
});

it('streams a body of 100 MB', async () => {
  const chunk = new Uint8Array(1_048_576);
  let left = 100;
  const body = new ReadableStream({
    pull: (controller) => {
      if (left === 0) return controller.close();
      left -= 1;
      return controller.enqueue(chunk);
    },
  });
  const init = { method: 'POST', body, duplex: 'half' } as RequestInit;
  const answer = await fetch(`${worker.url}/count`, init);
  expect(await answer.json()).toEqual({ bytes: 104_857_600 });
});

it('passes on console lines, and errors with places in the source', async () => {
  await get('/log');
  await get('/fail');
  await expect.poll(() => lines.join('\n')).toContain('a line\nof two { of: 1 }');
  await expect.poll(() => lines.join('\n')).toMatch(/on purpose[\s\S]*functions\/worker\.ts:8:/);
});

it('fires cron triggers and says when their handler throws', async () => {
  expect(worker.crons).toEqual(['* * * * *']);
  await worker.scheduled('* * * * *');
  await expect(worker.scheduled('1 1 1 1 1')).rejects.toThrow('1 1 1 1 1');
  expect(await (await get('/crons')).json()).toEqual(['* * * * *', '1 1 1 1 1']);
});

it('restarts hard on the same port', async () => {
  const { pid, port } = worker;
  await worker.restart();
  expect(worker.pid).not.toBe(pid);
  expect(isAlive(pid ?? 0)).toBe(false);
  expect(worker.port).toBe(port);
  expect(await (await get('/crons')).json()).toEqual([]);
  expect(deaths).toEqual([]);
});

it('builds once for the same sources, and anew after a change', async () => {
  const first = await buildWorker(root);
  expect((await buildWorker(root)).directory).toBe(first.directory);
  writeFileSync(join(root, 'functions/worker.ts'), source('changed'));
  await worker.reload();
  expect(await (await get('/')).text()).toBe('changed');
});

it("keeps the old Worker and tells wrangler's words when the new one does not build", async () => {
  writeFileSync(join(root, 'functions/worker.ts'), 'export default {');
  await expect(worker.reload()).rejects.toThrow(/does not build[\s\S]*worker\.ts/);
  expect(await (await get('/')).text()).toBe('changed');
  writeFileSync(join(root, 'functions/worker.ts'), source('changed'));
});

it('refuses a port that is taken, and leaves no process', async () => {
  await expect(startWorker({ root, env, port: worker.port, log: () => undefined })).rejects.toThrow(
    /in use/i,
  );
});

it('reports a death, and closes without leaving a process', async () => {
  const other = await startWorker({ root, env, onExit: (how) => deaths.push(how) });
  process.kill(other.pid ?? 0, 'SIGKILL');
  await expect.poll(() => deaths).toEqual(['SIGKILL']);
  await other.close();
  const { pid } = worker;
  await worker.close();
  expect(isAlive(pid ?? 0)).toBe(false);
  await expect(get('/')).rejects.toThrow();
});
