import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import {
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { withLock } from './lock.ts';

const repository = join(import.meta.dirname, '../..');
const sources = ['functions', 'db', 'schema.ts', 'wrangler.toml', 'package-lock.json'];
const keptBuilds = 5;

/** The part of wrangler.toml (top level: development) that shapes how the Worker runs. */
type WorkerSettings = {
  compatibilityDate: string;
  compatibilityFlags: string[];
  crons: string[];
  vars: Record<string, string>;
};

/** A built Worker: `modules` are paths inside `directory`, the entry first. */
export type Build = { directory: string; modules: string[]; settings: WorkerSettings };

/** Every file under `path` (a file or a folder; none if it is missing), in a stable order. */
async function filesOf(path: string): Promise<string[]> {
  const found = await stat(path).catch(() => undefined);
  if (!found) return [];
  if (!found.isDirectory()) return [path];
  const names = (await readdir(path)).sort();
  const nested = await Promise.all(names.map((name) => filesOf(join(path, name))));
  return nested.flat();
}

/** A hash over everything that can change the bundle. */
async function hashOf(root: string): Promise<string> {
  const files = (await Promise.all(sources.map((name) => filesOf(join(root, name))))).flat();
  const contents = await Promise.all(files.map((file) => readFile(file)));
  const hash = createHash('sha256');
  for (const [index, file] of files.entries()) {
    const content = contents[index] ?? '';
    hash.update(`${relative(root, file)}\0${content.length}\0`).update(content);
  }
  return hash.digest('hex').slice(0, 20);
}

const quiet = {
  CLOUDFLARE_CF_FETCH_ENABLED: 'false',
  WRANGLER_SEND_METRICS: 'false',
  WRANGLER_HIDE_BANNER: 'true',
  NO_COLOR: '1',
};

/**
 * Runs Node on `args` and gives its output. In a group of its own, so that whoever ends it ends its
 * helpers too.
 * @throws Error with what it wrote to stderr.
 */
function node(root: string, args: string[]): Promise<string> {
  const env = { ...process.env, ...quiet };
  const child = spawn(process.execPath, args, { cwd: root, env, detached: true });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      if (code === 0) resolve(stdout);
      else reject(new Error(stderr.trim() || `wrangler ended: ${signal ?? `code ${code}`}`));
    });
  });
}

/** Wrangler as a child process: imported, it would bring its own signal handlers along. */
function wrangler(root: string, args: string[]): Promise<string> {
  const manifest = createRequire(import.meta.url).resolve('wrangler/package.json');
  return node(root, [join(dirname(manifest), 'bin/wrangler.js'), ...args]);
}

/** Reads wrangler.toml with wrangler's own parser; that takes a second, so the result is kept. */
async function readSettings(root: string, builds: string): Promise<WorkerSettings> {
  const hash = createHash('sha256').update(await readFile(join(root, 'wrangler.toml')));
  const kept = join(builds, `settings-${hash.digest('hex').slice(0, 20)}.json`);
  if (existsSync(kept)) return JSON.parse(await readFile(kept, 'utf8')) as WorkerSettings;
  const script = `const { unstable_readConfig: read } = await import(${JSON.stringify(import.meta.resolve('wrangler'))});
    process.stdout.write(JSON.stringify(read({ config: 'wrangler.toml' }, { hideWarnings: true })));`;
  const config = JSON.parse(await node(root, ['--input-type=module', '-e', script])) as {
    compatibility_date: string;
    compatibility_flags: string[];
    triggers: { crons?: string[] };
    vars: Record<string, string>;
  };
  const settings = {
    compatibilityDate: config.compatibility_date,
    compatibilityFlags: config.compatibility_flags,
    crons: config.triggers.crons ?? [],
    vars: config.vars,
  };
  await writeFile(kept, JSON.stringify(settings));
  return settings;
}

/** What a finished build directory holds, or undefined if there is none. */
async function load(directory: string): Promise<Build | undefined> {
  const file = join(directory, 'settings.json');
  if (!existsSync(file)) return undefined;
  const settings = JSON.parse(await readFile(file, 'utf8')) as WorkerSettings;
  const names = (await filesOf(directory)).map((path) => relative(directory, path));
  const others = names.filter(
    (name) => !/^(worker\.js|README\.md|settings\.json)$|\.map$/.test(name),
  );
  await utimes(directory, new Date(), new Date());
  return { directory, modules: ['worker.js', ...others], settings };
}

/** Removes all but the newest builds; one that vanishes meanwhile is nobody's loss. */
async function prune(builds: string): Promise<void> {
  const names = await readdir(builds);
  const dated = await Promise.all(
    names.map(async (name) => {
      const found = await stat(join(builds, name)).catch(() => undefined);
      return { name, at: found?.mtimeMs ?? 0 };
    }),
  );
  const old = dated.sort((a, b) => b.at - a.at).slice(keptBuilds);
  const dead = old.filter(({ at }) => Date.now() - at > 3_600_000);
  await Promise.all(
    dead.map(({ name }) => rm(join(builds, name), { recursive: true, force: true })),
  );
}

/** Builds into a draft folder and gives it its name only when it is whole. */
async function build(root: string, builds: string, target: string): Promise<void> {
  const draft = await mkdtemp(join(builds, 'draft-'));
  try {
    const bundle = ['deploy', '--dry-run', '--env=', '--outdir', draft];
    const [settings] = await Promise.all([readSettings(root, builds), wrangler(root, bundle)]);
    await rm(join(draft, 'README.md'), { force: true });
    await writeFile(join(draft, 'settings.json'), JSON.stringify(settings));
    await rename(draft, target);
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    const said = error instanceof Error ? error.message : String(error);
    throw new Error(`The Worker does not build.\n${said}`, { cause: error });
  }
}

/**
 * The production bundle, made by `wrangler deploy --dry-run` and kept by a hash of its sources, so
 * that nothing is built twice, nor by several processes at once.
 * @throws Error with wrangler's own words when the Worker does not build.
 */
export async function buildWorker(root = repository): Promise<Build> {
  const builds = join(root, '.rowloom/builds');
  const target = join(builds, await hashOf(root));
  const cached = await load(target);
  if (cached) return cached;
  await mkdir(builds, { recursive: true });
  const built = await withLock(`${target}.lock`, async () => {
    if (!existsSync(target)) await build(root, builds, target);
    return load(target);
  });
  if (!built) throw new Error(`${target} is no build; remove it.`);
  await prune(builds);
  return built;
}
