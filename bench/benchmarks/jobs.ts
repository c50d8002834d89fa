import { setTimeout as pause } from 'node:timers/promises';
import { chunkSize } from '../../functions/jobs/job.pure.ts';
import { bestChunking, jobSeconds, type Limits } from '../simulate.ts';
import type { Benchmark, Effort, Table } from '../support/benchmark.ts';
import { csvOf, leadHeader, leadRows } from '../support/leads.ts';
import { expectStatus } from '../support/load.ts';
import { aboutCpu, cpuColumns, measureLag } from '../support/processes.ts';
import { type Setting, withStack } from '../support/setting.ts';

const limits: Limits = {
  searchMs: 1500,
  llmFirstByteMs: 300,
  llmStreamMs: 1200,
  slots: 6,
  rowsAtOnce: 20,
  invocations: 100,
};

/** Seconds: of the system that Rowloom replaces, and what issue 4 aims at. */
const known = new Map([
  [1000, { replaced: 15, aim: 6 }],
  [10_000, { replaced: 150, aim: 40 }],
  [50_000, { replaced: 720, aim: 180 }],
]);

const patienceMs = 900_000;
const largestChunk = 60;

type Job = {
  status: string;
  rows_succeeded: number;
  chunks_total: number;
  largest_chunk: number;
  /** Seconds since 1970. */
  finished: number | null;
};

async function readJob({ pool }: Setting, id: string): Promise<Job> {
  const { rows } = await pool.query<Job>(
    `select status, rows_succeeded, chunks_total, extract(epoch from finished_at)::float8 as finished,
         (select max(row_count) from job_chunks where job_id = jobs.id) as largest_chunk
       from jobs where id = $1`,
    [id],
  );
  const [job] = rows;
  if (!job) throw new Error('The job is gone.');
  return job;
}

async function untilEnded(setting: Setting, id: string): Promise<Job & { finished: number }> {
  for (const end = Date.now() + patienceMs; Date.now() < end; await pause(250)) {
    const job = await readJob(setting, id);
    if (job.finished !== null) return { ...job, finished: job.finished };
  }
  throw new Error(`The job has not ended after ${patienceMs / 1000} s.`);
}

const messagesOf = ({ stack }: Setting): number =>
  Object.values(stack.handles.qstash?.state().messages ?? {}).reduce((sum, n) => sum + n, 0);

async function tableBytes({ pool }: Setting): Promise<number> {
  const { rows } = await pool.query<{ bytes: number }>(
    `select (pg_total_relation_size('jobs') + pg_total_relation_size('job_chunks')
       + pg_total_relation_size('credit_entries'))::float8 as bytes`,
  );
  return rows[0]?.bytes ?? Number.NaN;
}

async function createJob(setting: Setting, token: string): Promise<{ id: string; url: string }> {
  const answer = await fetch(`${setting.stack.api}/v1/jobs`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ filename: 'leads.csv' }),
  });
  if (answer.status !== 201) throw new Error(`POST /v1/jobs: ${answer.status}`);
  const { job, upload } = (await answer.json()) as { job: { id: string }; upload: { url: string } };
  return { id: job.id, url: new URL(upload.url, setting.stack.api).href };
}

/** One job from the upload's first byte to its last row. */
async function runJob(setting: Setting, token: string, count: number) {
  const { load, stack } = setting;
  const head = `${leadHeader.join(',')}\n`;
  const block = Buffer.from(csvOf(leadRows(count)));
  const bytes = head.length + block.length;
  const { id, url } = await createJob(setting, token);
  const providers = stack.handles.providers;
  await fetch(`${providers?.url}/_local/stats?reset`);
  const before = {
    trips: setting.roundTrips(),
    messages: messagesOf(setting),
    bytes: await tableBytes(setting),
  };
  const [cpu, lag] = [setting.measureCpu(), measureLag()];
  const start = Date.now() / 1000;
  const sent = await load.perform({ kind: 'upload', url, token, head, block, bytes });
  expectStatus(sent, 202);
  const job = await untilEnded(setting, id);
  const used = cpu(sent.cpuSeconds);
  const lagMs = lag();
  if (job.status !== 'completed' || job.rows_succeeded !== count)
    throw new Error(`The job ended as ${job.status}: ${job.rows_succeeded} of ${count} rows.`);
  return {
    seconds: job.finished - start,
    uploadSeconds: sent.seconds,
    chunks: job.chunks_total,
    size: job.largest_chunk,
    tripsPerChunk: (setting.roundTrips() - before.trips) / job.chunks_total,
    messages: messagesOf(setting) - before.messages,
    bytes: (await tableBytes(setting)) - before.bytes,
    waiting: providers?.stats().total.maxWaiting ?? 0,
    cpu: used,
    lagMs,
  };
}

const percent = (share: number): string => `${(share * 100).toFixed(0)} %`;
async function measure(setting: Setting, { quick, full }: Effort): Promise<Table[]> {
  const sizes = quick ? [200] : full ? [1000, 10_000, 50_000] : [1000];
  const token = await setting.stack.token('bench-jobs', 'jobs@example.com', { verified: true });
  await runJob(setting, token, 200);
  const times: Table['rows'] = [];
  const costs: Table['rows'] = [];
  for (const count of sizes) {
    const seen = await runJob(setting, token, count);
    const limit = jobSeconds(count, seen.size, limits);
    const best = bestChunking(count, largestChunk, limits);
    const { replaced = null, aim = null } = known.get(count) ?? {};
    times.push({
      rows: count,
      'system replaced s': replaced,
      'aim s': aim,
      seconds: seen.seconds,
      'rows/s': count / seen.seconds,
      'rows/chunk': seen.size,
      'limit s': limit,
      'of the limit': percent(limit / seen.seconds),
      'best limit s': best.seconds,
      'at rows/chunk': best.size,
      'of the best': percent(best.seconds / seen.seconds),
    });
    const thousands = count / 1000;
    costs.push({
      rows: count,
      'upload s': seen.uploadSeconds,
      'DB trips/chunk': seen.tripsPerChunk,
      'QStash msgs/1,000 rows': seen.messages / thousands,
      'DB kB/1,000 rows': seen.bytes / 1000 / thousands,
      'most waiting for headers': seen.waiting,
      ...cpuColumns([{ cpu: seen.cpu, units: count }], 'ms/row', 1000),
      'timers late p99 ms': seen.lagMs,
    });
  }
  const { searchMs, llmFirstByteMs, llmStreamMs } = limits;
  const note = `Search ${searchMs} ms, model ${llmFirstByteMs} ms to the first byte and ${llmStreamMs} ms of stream; ${limits.invocations} deliveries at once, ${limits.slots} header slots, ${limits.rowsAtOnce} rows at once in each. From the upload's first byte to the job's end. "limit": the same rules simulated with chunks of this size and nothing else taking time; "best": with the best size up to ${largestChunk}. By job.pure.ts an exactly known count would give chunks of ${sizes.map((count) => chunkSize(count, limits.invocations)).join(', ')} rows.`;
  const perChunk =
    'DB trips: everything the job did, upload and dispatch included, by number of chunks. kB: growth of jobs, job_chunks and credit_entries with their indexes. Timers late: how far the one thread of all stand-ins falls behind.';
  return [
    { title: 'jobs: time', rows: times, notes: [note] },
    { title: 'jobs: what they take', rows: costs, notes: [perChunk, aboutCpu] },
  ];
}

export const jobs: Benchmark = {
  name: 'jobs',
  about: 'whole jobs at real latencies, beside the limit that the platform sets',
  run: (effort) => {
    const { searchMs: searchLatencyMs, llmFirstByteMs, llmStreamMs, invocations } = limits;
    return withStack(
      {
        providerOptions: { searchLatencyMs, llmFirstByteMs, llmStreamMs },
        qstash: { parallelism: invocations },
        env: {
          SIGNUP_CREDITS: '1000000',
          PARALLEL_INVOCATIONS: String(invocations),
          PARALLEL_ROWS_PER_INVOCATION: String(limits.rowsAtOnce),
        },
      },
      (setting) => measure(setting, effort),
    );
  },
};
