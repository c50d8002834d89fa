import { AsyncLocalStorage } from 'node:async_hooks';
import { cp, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { temporaryRun } from './stack/run-directory.ts';
import { type Build, buildWorker } from './worker-host/build.ts';
import { bindingPrefix, cronWorker, workerdConfig } from './worker-host/config.ts';
import { type LogOptions, logReader } from './worker-host/log.ts';
import { inspectorSocket, killWorkerd, spawnWorkerd, type Workerd } from './worker-host/workerd.ts';

export { buildWorker } from './worker-host/build.ts';

type Ports = [http: number, cron: number];
type Within = <T>(work: () => T) => T;

/** How to run the Worker. */
type WorkerOptions = LogOptions & {
  /** 0 or absent: a free one. */
  port?: number | undefined;
  /** Bindings; they win over the `vars` of wrangler.toml. */
  env: Record<string, string>;
  /** The project to build; absent: this repository. */
  root?: string | undefined;
  /** Where to put the bundle and its configuration; absent: a temporary folder. */
  directory?: string | undefined;
  /** Whether V8's inspector listens too. */
  inspect?: boolean | undefined;
  /** As workerd's configuration takes them. */
  v8Flags?: readonly string[] | undefined;
  /** Called when workerd ends without having been asked to. */
  onExit?: ((how: string) => void) | undefined;
};

/** The production bundle, served by workerd on loopback. */
export type WorkerHost = {
  url: string;
  port: number;
  readonly pid: number | undefined;
  /** Of V8's inspector, if it was asked for. */
  readonly inspectorPort: number | undefined;
  readonly crons: string[];
  /** Fires a cron trigger and waits for its handler. @throws Error if the handler throws. */
  scheduled: (cron: string) => Promise<void>;
  /** Kills workerd without warning and starts it again on the same port. */
  restart: () => Promise<void>;
  /** Builds the Worker anew and restarts it. @throws Error if it does not build; the old one stays. */
  reload: () => Promise<void>;
  close: () => Promise<void>;
};

/** Lays out what workerd reads: the bundle, the cron Worker, the configuration. */
async function layOut(input: {
  directory: string;
  build: Build;
  bindings: string[];
  ports: Ports;
  v8Flags: readonly string[] | undefined;
}) {
  const { directory, build } = input;
  await mkdir(join(directory, 'bundle'), { recursive: true });
  const copies = build.modules.map((name) =>
    cp(join(build.directory, name), join(directory, 'bundle', name)),
  );
  await Promise.all([...copies, writeFile(join(directory, 'cron.js'), cronWorker)]);
  const config = join(directory, 'config.capnp');
  const [port, cronPort] = input.ports;
  await writeFile(config, workerdConfig({ ...input, port, cronPort }));
  return config;
}

/** Builds the Worker and gives the function that starts it on a pair of ports (0: free ones). */
async function prepare(options: WorkerOptions, directory: string) {
  const build = await buildWorker(options.root);
  const bindings: Record<string, string> = { ...build.settings.vars, ...options.env };
  const names = Object.keys(bindings);
  const env = Object.fromEntries(
    Object.entries(bindings).map(([name, value]) => [bindingPrefix + name, value]),
  );
  const read = logReader(options, join(build.directory, 'worker.js.map'));
  const start = async (ports: Ports): Promise<Workerd> => {
    const { inspect, v8Flags } = options;
    const config = await layOut({ directory, build, bindings: names, ports, v8Flags });
    return spawnWorkerd({ config, env, sockets: ['http', 'cron'], read, inspect });
  };
  return { start, crons: build.settings.crons };
}

async function fire(cronPort: number, cron: string): Promise<void> {
  const answer = await fetch(`http://127.0.0.1:${cronPort}/?cron=${encodeURIComponent(cron)}`);
  const { outcome } = (await answer.json()) as { outcome: string };
  if (outcome !== 'ok') throw new Error(`The cron trigger "${cron}" ended with ${outcome}.`);
}

/**
 * Builds the Worker as production would get it and serves it with workerd itself: no development
 * proxy in between, so thousands of requests a second and streamed bodies.
 * @throws Error if it does not build, does not start, or the port is taken.
 */
export async function startWorker(options: WorkerOptions): Promise<WorkerHost> {
  const run = options.directory === undefined ? await temporaryRun() : undefined;
  // Whoever restarts the Worker later, the new process belongs to the run of this one.
  const within: Within = run ? run.children.within : AsyncLocalStorage.snapshot();
  const directory = options.directory ?? run?.path ?? '';
  let closing = false;
  const isClosed = (): boolean => closing;
  let workerd: Workerd | undefined;
  const adopt = (started: Workerd): Workerd => {
    workerd = started;
    void started.exited.then((how) => {
      if (!closing && workerd === started) options.onExit?.(how);
    });
    return started;
  };

  try {
    let prepared = await within(() => prepare(options, directory));
    const { ports } = adopt(await within(() => prepared.start([options.port ?? 0, 0])));
    const port = ports.get('http') ?? 0;
    const cronPort = ports.get('cron') ?? 0;
    const restart = async (): Promise<void> => {
      const old = workerd;
      workerd = undefined;
      if (old) await killWorkerd(old);
      if (closing) return;
      const started = adopt(await within(() => prepared.start([port, cronPort])));
      // close() has come and gone meanwhile, and has seen nothing to end.
      if (isClosed()) await killWorkerd(started);
    };
    return {
      url: `http://127.0.0.1:${port}`,
      port,
      get crons() {
        return prepared.crons;
      },
      get pid() {
        return workerd?.child.pid;
      },
      get inspectorPort() {
        return workerd?.ports.get(inspectorSocket);
      },
      scheduled: (cron) => fire(cronPort, cron),
      restart,
      reload: async () => {
        prepared = await within(() => prepare(options, directory));
        await restart();
      },
      close: async () => {
        closing = true;
        if (workerd) await killWorkerd(workerd);
        await run?.release();
      },
    };
  } catch (error) {
    await run?.release();
    throw error;
  }
}
