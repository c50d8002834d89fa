import { setTimeout as pause } from 'node:timers/promises';
import type { StackOptions } from '../../local/stack.ts';
import type { Limits } from '../simulate.ts';
import { csvOf, leadHeader, leadRows } from './leads.ts';
import { expectStatus } from './load.ts';
import { measureLag } from './processes.ts';
import type { Setting } from './setting.ts';

/** What the providers take and the platform grants, in every benchmark of jobs. */
export const limits: Limits = {
  searchMs: 1500,
  llmFirstByteMs: 300,
  llmStreamMs: 1200,
  slots: 6,
  rowsAtOnce: 20,
  invocations: 100,
};

/** The stack for them. */
export const jobStack: StackOptions = {
  providerOptions: {
    searchLatencyMs: limits.searchMs,
    llmFirstByteMs: limits.llmFirstByteMs,
    llmStreamMs: limits.llmStreamMs,
  },
  qstash: { parallelism: limits.invocations },
  env: {
    SIGNUP_CREDITS: '1000000',
    PARALLEL_INVOCATIONS: String(limits.invocations),
    PARALLEL_ROWS_PER_INVOCATION: String(limits.rowsAtOnce),
  },
};

const patienceMs = 900_000;
type Job = {
  status: string;
  rows_succeeded: number;
  chunks_total: number;
  tokens_in: number;
  tokens_out: number;
  largest_chunk: number;
  /** Seconds since 1970. */
  finished: number | null;
};

async function readJob({ pool }: Setting, id: string): Promise<Job> {
  const { rows } = await pool.query<Job>(
    `select status, rows_succeeded, chunks_total, tokens_in::float8, tokens_out::float8, extract(epoch from finished_at)::float8 as finished,
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

/** Redis commands so far; a script counts as one. */
async function commandsOf({ stack }: Setting): Promise<number> {
  const answer = await fetch(`${stack.services.redis}/_local/state`);
  return ((await answer.json()) as { commands: number }).commands;
}

async function tableBytes({ pool }: Setting): Promise<number> {
  const { rows } = await pool.query<{ bytes: number }>(
    `select (pg_total_relation_size('jobs') + pg_total_relation_size('job_chunks')
       + pg_total_relation_size('credit_entries'))::float8 as bytes`,
  );
  return rows[0]?.bytes ?? Number.NaN;
}

export async function createJob(
  setting: Setting,
  token: string,
  settings: object,
): Promise<{ id: string; url: string }> {
  const answer = await fetch(`${setting.stack.api}/v1/jobs`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ filename: 'leads.csv', ...settings }),
  });
  if (answer.status !== 201) throw new Error(`POST /v1/jobs: ${answer.status}`);
  const { job, upload } = (await answer.json()) as { job: { id: string }; upload: { url: string } };
  return { id: job.id, url: new URL(upload.url, setting.stack.api).href };
}

/** Leads that were handed out: each job has companies of its own, so that none is found in the cache. */
let leads = 0;

/** One job from the upload's first byte to its last row; `settings`: what it is created with. */
export async function runJob(setting: Setting, token: string, count: number, settings = {}) {
  const { load, stack } = setting;
  const head = `${leadHeader.join(',')}\n`;
  const block = Buffer.from(csvOf(leadRows(count, leads)));
  leads += count;
  const bytes = head.length + block.length;
  const { id, url } = await createJob(setting, token, settings);
  const providers = stack.handles.providers;
  await fetch(`${providers?.url}/_local/stats?reset`);
  const before = {
    trips: setting.roundTrips(),
    messages: messagesOf(setting),
    bytes: await tableBytes(setting),
    commands: await commandsOf(setting),
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
  const seen = providers?.stats();
  return {
    seconds: job.finished - start,
    uploadSeconds: sent.seconds,
    chunks: job.chunks_total,
    size: job.largest_chunk,
    tripsPerChunk: (setting.roundTrips() - before.trips) / job.chunks_total,
    messages: messagesOf(setting) - before.messages,
    bytes: (await tableBytes(setting)) - before.bytes,
    commands: (await commandsOf(setting)) - before.commands,
    waiting: seen?.total.maxWaiting ?? 0,
    searches: seen?.search.requests ?? 0,
    modelCalls: seen?.llm.requests ?? 0,
    tokensIn: job.tokens_in,
    tokensOut: job.tokens_out,
    cpu: used,
    lagMs,
  };
}
