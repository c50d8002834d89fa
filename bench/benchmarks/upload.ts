import { setTimeout as pause } from 'node:timers/promises';
import { buildWorker } from '../../local/worker-host.ts';
import { drainWorker, papaWorker, startBareWorker } from '../support/bare-worker.ts';
import type { Benchmark, Effort, Table } from '../support/benchmark.ts';
import { csvOf, leadHeader, leadRows } from '../support/leads.ts';
import { expectStatus, Load } from '../support/load.ts';
import { medianOf, megabyte } from '../support/numbers.ts';
import {
  aboutCpu,
  type Cpu,
  cpuColumns,
  measureCpu,
  measureMemory,
  residentMb,
} from '../support/processes.ts';
import { type Setting, withStack } from '../support/setting.ts';

const blockRows = 30_000;
const head = `${leadHeader.join(',')}\n`;

type Seen = {
  mbPerSecond: number;
  idleMb: number;
  peakMb: number;
  rows: number;
  cpu: Cpu;
  units: number;
};

async function settled(url: string): Promise<void> {
  await fetch(url);
  await pause(200);
}

/** Uploads to a Worker that was just started; nothing of an earlier file is in its memory. */
async function throughRowloom(
  setting: Setting,
  block: Uint8Array,
  bytes: number,
  token: string,
): Promise<Seen> {
  const { stack, load, pool } = setting;
  await stack.worker.restart();
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const created = await fetch(`${stack.api}/v1/jobs`, {
    method: 'POST',
    headers,
    body: JSON.stringify({ filename: 'large.csv' }),
  });
  const { job } = (await created.json()) as { job: { id: string } };
  await settled(`${stack.api}/healthz`);
  const pid = stack.worker.pid ?? 0;
  const idleMb = residentMb(pid);
  const [cpu, peak] = [setting.measureCpu(), measureMemory(pid)];
  const url = `${stack.api}/v1/jobs/${job.id}/input`;
  const sent = await load.perform({ kind: 'upload', url, token, head, block, bytes });
  const [used, peakMb] = [cpu(sent.cpuSeconds), peak()];
  // No credits: the rows are stored and the job waits, so that nothing else runs.
  expectStatus(sent, 402);
  const { rows } = await pool.query<{ rows: number }>(
    'select rows_total as rows from jobs where id = $1',
    [job.id],
  );
  await pool.query('delete from jobs where id = $1', [job.id]);
  await pool.query('vacuum job_chunks');
  const stored = rows[0]?.rows ?? 0;
  return {
    mbPerSecond: sent.bytes / megabyte / sent.seconds,
    idleMb,
    peakMb,
    rows: stored,
    cpu: used,
    units: sent.bytes / megabyte,
  };
}

async function throughBare(source: string, block: Uint8Array, bytes: number): Promise<Seen> {
  const { settings } = await buildWorker();
  const worker = await startBareWorker(source, settings);
  const load = new Load();
  try {
    await settled(worker.url);
    const idleMb = residentMb(worker.pid);
    const cpu = measureCpu({ workerd: worker.pid });
    const peak = measureMemory(worker.pid);
    const url = `${worker.url}/`;
    const sent = await load.perform({ kind: 'upload', url, token: '', head, block, bytes });
    const [used, peakMb] = [cpu(sent.cpuSeconds), peak()];
    expectStatus(sent, 200);
    const { rows = 0 } = JSON.parse(sent.said) as { rows?: number };
    const units = sent.bytes / megabyte;
    return { mbPerSecond: units / sent.seconds, idleMb, peakMb, rows, cpu: used, units };
  } finally {
    await load.close();
    await worker.close();
  }
}

function rowOf(name: string, bytes: number, seen: Seen[]) {
  return {
    'read by': name,
    'file MB': bytes / megabyte,
    rows: seen[0]?.rows || null,
    'MB/s': medianOf(seen, ({ mbPerSecond }) => mbPerSecond),
    'idle MB': medianOf(seen, ({ idleMb }) => idleMb),
    'peak above idle MB': medianOf(seen, ({ idleMb, peakMb }) => peakMb - idleMb),
    ...cpuColumns(seen, 'ms/MB', 1000),
  };
}

async function measure(setting: Setting, { quick }: Effort): Promise<Table> {
  const token = await setting.stack.token('bench-upload', 'upload@example.com');
  const block = Buffer.from(csvOf(leadRows(blockRows)));
  const sizes = quick ? [10 * megabyte] : [10 * megabyte, 100 * megabyte];
  const times = quick ? 1 : 3;
  const rows: Table['rows'] = [];
  const ratios: string[] = [];
  // The first upload makes pages of files that the later ones find.
  await throughRowloom(setting, block, 2 * megabyte, token);
  for (const bytes of sizes) {
    const [ours, papa, drain]: [Seen[], Seen[], Seen[]] = [[], [], []];
    for (let round = 0; round < times; round += 1) {
      ours.push(await throughRowloom(setting, block, bytes, token));
      papa.push(await throughBare(papaWorker, block, bytes));
      drain.push(await throughBare(drainWorker, block, bytes));
    }
    const [mine, theirs] = [ours[0]?.rows, papa[0]?.rows];
    if (mine !== theirs) throw new Error(`${mine} rows were stored, PapaParse counts ${theirs}.`);
    rows.push(
      rowOf('Rowloom, into the database', bytes, ours),
      rowOf('bare PapaParse', bytes, papa),
      rowOf('bare body, thrown away', bytes, drain),
    );
    const speed = (list: Seen[]): number => medianOf(list, ({ mbPerSecond }) => mbPerSecond);
    const cost = (list: Seen[]): number => medianOf(list, ({ cpu, units }) => cpu.workerd / units);
    const percent = (ratio: number): string => `${(ratio * 100).toFixed(0)} %`;
    ratios.push(
      `${bytes / megabyte} MB: ${percent(speed(ours) / speed(papa))} of bare PapaParse, ${percent(cost(papa) / cost(ours))} per CPU second of workerd`,
    );
  }
  const notes = [
    `${ratios.join('; ')}. Medians of ${times} rounds, workerd started anew for each. Memory: VmRSS of workerd every 50 ms; the platform grants an isolate 128 MB.`,
    aboutCpu,
  ];
  return { title: 'upload: PUT /v1/jobs/{id}/input', rows, notes };
}

export const upload: Benchmark = {
  name: 'upload',
  about: 'a large CSV into the database: MB/s and memory, beside bare PapaParse',
  run: (effort) =>
    withStack({ env: { SIGNUP_CREDITS: '0', MAX_ROWS: '1000000' } }, async (setting) => [
      await measure(setting, effort),
    ]),
};
