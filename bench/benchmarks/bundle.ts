import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { buildWorker, startWorker } from '../../local/worker-host.ts';
import { helloWorker, startBareWorker } from '../support/bare-worker.ts';
import type { Benchmark, Effort, Table } from '../support/benchmark.ts';
import { median } from '../support/numbers.ts';
import { residentMb } from '../support/processes.ts';

/** Enough of a configuration to start with; nothing of it is called. */
const nowhere = 'http://127.0.0.1:9';
const key = 'k'.repeat(32);
const env = {
  DATABASE_URL: 'postgres://nobody@127.0.0.1:9/nothing',
  STRIPE_SECRET_KEY: key,
  STRIPE_WEBHOOK_SECRET: key,
  QSTASH_URL: nowhere,
  QSTASH_TOKEN: key,
  QSTASH_CURRENT_SIGNING_KEY: key,
  QSTASH_NEXT_SIGNING_KEY: key,
  UPSTASH_REDIS_REST_URL: nowhere,
  UPSTASH_REDIS_REST_TOKEN: key,
  SERPER_API_KEY: key,
  LLM_API_KEY: key,
  AUTH_JWT_SECRET: key,
  ADMIN_TOKEN: key,
  PUBLIC_URL: nowhere,
  APP_URL: nowhere,
  ALLOWED_ORIGINS: nowhere,
};

type Start = { ms: number; idleMb: number };

async function untilAnswered(url: string, begin: number, pid: number): Promise<Start> {
  const answer = await fetch(url);
  await answer.text();
  if (answer.status !== 200) throw new Error(`${url} answered ${answer.status}.`);
  return { ms: performance.now() - begin, idleMb: residentMb(pid) };
}

/** Times a restart, whose kill of the process before takes a few milliseconds of it. */
async function startRowloom(times: number): Promise<Start[]> {
  const worker = await startWorker({ env, logLevel: 'error' });
  try {
    const seen: Start[] = [];
    for (let round = 0; round <= times; round += 1) {
      const begin = performance.now();
      await worker.restart();
      seen.push(await untilAnswered(`${worker.url}/healthz`, begin, worker.pid ?? 0));
    }
    return seen.slice(1);
  } finally {
    await worker.close();
  }
}

async function startHello(times: number): Promise<Start[]> {
  const { settings } = await buildWorker();
  const seen: Start[] = [];
  for (let round = 0; round <= times; round += 1) {
    const worker = await startBareWorker(helloWorker, settings);
    try {
      seen.push(await untilAnswered(worker.url, worker.spawnedAt, worker.pid));
    } finally {
      await worker.close();
    }
  }
  return seen.slice(1);
}

function rowOf(name: string, raw: number, gzip: number, starts: Start[]) {
  return {
    worker: name,
    'raw kB': raw / 1000,
    'gzip kB': gzip / 1000,
    'cold start ms': median(starts.map(({ ms }) => ms)),
    'slowest ms': Math.max(...starts.map(({ ms }) => ms)),
    'resident MB': median(starts.map(({ idleMb }) => idleMb)),
  };
}

async function measure({ quick }: Effort): Promise<Table> {
  const times = quick ? 3 : 10;
  const build = await buildWorker();
  const files = await Promise.all(
    build.modules.map((name) => readFile(join(build.directory, name))),
  );
  const size = (of: (file: Buffer) => number): number =>
    files.reduce((sum, file) => sum + of(file), 0);
  const rows = [
    rowOf(
      'Rowloom',
      size((file) => file.length),
      size((file) => gzipSync(file, { level: 9 }).length),
      await startRowloom(times),
    ),
    rowOf('hello', helloWorker.length, gzipSync(helloWorker).length, await startHello(times)),
  ];
  const notes = [
    `Cold start: from spawning workerd to the first answer (/healthz); medians of ${times}. The difference to "hello" is ours. The platform allows 1 s and, gzipped, 3 MB (free) or 10 MB.`,
  ];
  return { title: 'bundle', rows, notes };
}

export const bundle: Benchmark = {
  name: 'bundle',
  about: 'size of the production bundle and time to the first answer',
  run: async (effort) => [await measure(effort)],
};
