import { build } from 'esbuild';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { temporaryRun } from '../../local/stack/run-directory.ts';
import type { Build } from '../../local/worker-host/build.ts';
import { cronWorker, workerdConfig } from '../../local/worker-host/config.ts';
import { logReader } from '../../local/worker-host/log.ts';
import { killWorkerd, spawnWorkerd } from '../../local/worker-host/workerd.ts';

/** A Worker of a few lines in the runtime, the configuration and the way that ours is served. */
export type BareWorker = {
  url: string;
  pid: number;
  /** By `performance.now()`. */
  spawnedAt: number;
  close: () => Promise<void>;
};

async function bundle(source: string): Promise<string> {
  const { outputFiles } = await build({
    stdin: { contents: source, resolveDir: import.meta.dirname },
    bundle: true,
    minify: true,
    write: false,
    format: 'esm',
    external: ['node:*'],
    // PapaParse looks for the global to tell whether it needs Node's `require`.
    define: { PAPA_BROWSER_CONTEXT: 'true' },
    logLevel: 'silent',
  });
  return outputFiles[0]?.text ?? '';
}

/** Bundles a module of JavaScript and serves it with workerd. */
export async function startBareWorker(
  source: string,
  settings: Build['settings'],
): Promise<BareWorker> {
  const run = await temporaryRun();
  try {
    await mkdir(join(run.path, 'bundle'));
    await writeFile(join(run.path, 'bundle/worker.js'), await bundle(source));
    await writeFile(join(run.path, 'cron.js'), cronWorker);
    const config = join(run.path, 'config.capnp');
    const built = { directory: run.path, modules: ['worker.js'], settings };
    await writeFile(config, workerdConfig({ build: built, bindings: [], port: 0, cronPort: 0 }));
    const spawnedAt = performance.now();
    const started = await run.children.within(() =>
      spawnWorkerd({
        config,
        env: {},
        sockets: ['http'],
        read: logReader({ logLevel: 'error' }, ''),
      }),
    );
    return {
      url: `http://127.0.0.1:${started.ports.get('http')}`,
      pid: started.child.pid ?? 0,
      spawnedAt,
      close: async () => {
        await killWorkerd(started);
        await run.release();
      },
    };
  } catch (error) {
    await run.release();
    throw error;
  }
}

/** Reads an upload with PapaParse and does nothing with its rows. */
export const papaWorker = `
import { Readable } from 'node:stream';
import Papa from 'papaparse';
export default {
  async fetch(request) {
    if (request.method === 'GET') return new Response('ok');
    const text = Readable.fromWeb(request.body);
    text.setEncoding('utf8');
    let rows = -1; // the header is none
    await new Promise((complete, error) =>
      Papa.parse(text, { newline: '\\n', delimiter: ',', chunk: ({ data }) => { rows += data.length; }, complete, error }));
    return Response.json({ rows });
  },
};`;

/** Reads an upload and throws its bytes away: what the runtime itself can take in. */
export const drainWorker = `
export default {
  async fetch(request) {
    if (request.method === 'GET') return new Response('ok');
    let bytes = 0;
    for await (const piece of request.body) bytes += piece.byteLength;
    return Response.json({ bytes });
  },
};`;

/** Nothing but an answer. */
export const helloWorker = `export default { fetch: () => new Response('ok') };`;
