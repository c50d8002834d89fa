import { type ChildProcess, spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';

/** Where the workerd binary lies: the one that wrangler brings along. */
function binary(): string {
  const near = createRequire(createRequire(import.meta.url).resolve('miniflare'));
  const found = near('workerd') as string | { default: string };
  return typeof found === 'string' ? found : found.default;
}

/** A running workerd and the ports its sockets are bound to. */
export type Workerd = { child: ChildProcess; ports: Map<string, number>; exited: Promise<string> };

/** The name under which `ports` has the inspector's. */
export const inspectorSocket = 'inspector';

/**
 * Starts workerd on a configuration file and resolves once all `sockets` listen.
 * @throws Error with workerd's own words when it ends before that.
 */
export async function spawnWorkerd(input: {
  config: string;
  env: Record<string, string>;
  sockets: string[];
  read: (stream: Readable) => void;
  /** With V8's inspector, on a free port. */
  inspect?: boolean | undefined;
}): Promise<Workerd> {
  // Of its own group, so that a Ctrl-C in the terminal reaches it through close() only.
  const inspector = input.inspect ? ['--inspector-addr=127.0.0.1:0'] : [];
  const options = ['--experimental', '--control-fd=3', ...inspector];
  const child = spawn(binary(), ['serve', ...options, input.config], {
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    detached: true,
    env: { balancePath: process.env['PATH'] ?? '', TZ: 'UTC', ...input.env },
  });
  const exited = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(String(error)));
    child.once('exit', (code, signal) => resolve(signal ?? `code ${code}`));
  });
  const said: string[] = [];
  child.stderr?.on('data', (chunk: Buffer) => said.length < 20 && said.push(chunk.toString()));
  for (const stream of [child.stdout, child.stderr]) if (stream) input.read(stream);
  const ports = new Map<string, number>();
  const expected = [...input.sockets, ...(input.inspect ? [inspectorSocket] : [])];
  const listening = new Promise<'listening'>((resolve) => {
    createInterface({ input: child.stdio[3] as Readable }).on('line', (line) => {
      const event = JSON.parse(line) as { event: string; socket: string; port: number };
      if (event.event === 'listen') ports.set(event.socket, event.port);
      if (event.event === 'listen-inspector') ports.set(inspectorSocket, event.port);
      if (expected.every((name) => ports.has(name))) resolve('listening');
    });
  });
  const outcome = await Promise.race([listening, exited]);
  if (outcome === 'listening') return { child, ports, exited };
  throw new Error(`workerd did not start (${outcome}).\n${said.join('').trim()}`);
}

/** Kills workerd and waits until it is gone. */
export async function killWorkerd(workerd: Workerd): Promise<void> {
  workerd.child.kill('SIGKILL');
  await workerd.exited;
}
