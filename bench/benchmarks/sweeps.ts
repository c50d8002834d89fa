import { setTimeout as pause } from 'node:timers/promises';
import type { StackOptions } from '../../local/stack.ts';
import { insertStuckJobs } from '../../tests/support/stuck-jobs.ts';
import type { Benchmark, Effort, Table } from '../support/benchmark.ts';
import { csvOf, leadHeader, leadRows } from '../support/leads.ts';
import { median, percentile } from '../support/numbers.ts';
import { type Setting, withStack } from '../support/setting.ts';

/** Chunks are taken by the queue and never arrive, so that only what is swept is measured. */
const stackOf = (credits: number): StackOptions => ({
  env: {
    SIGNUP_CREDITS: String(credits),
    OPEN_JOBS_PER_USER: '1000000',
    STORED_BYTES_PER_USER: '1000000000',
  },
});
const everyMinute = '* * * * *';
const patienceMs = 600_000;

/** Fires the cron now and each minute until `isDone`. Gives the seconds. */
async function sweepUntil({ stack }: Setting, isDone: () => Promise<boolean>): Promise<number> {
  const start = performance.now();
  const fire = () => void stack.worker.scheduled(everyMinute).catch(console.error);
  fire();
  const timer = setInterval(fire, 60_000);
  try {
    while (!(await isDone())) {
      if (performance.now() - start > patienceMs) throw new Error('The sweep has not ended.');
      await pause(100);
    }
    return (performance.now() - start) / 1000;
  } finally {
    clearInterval(timer);
  }
}

const faultsOf = ({ stack }: Setting) => {
  const faults = stack.handles.qstash?.faults;
  if (!faults) throw new Error('There is no queue.');
  return faults;
};
const swallowChunks = (setting: Setting) =>
  faultsOf(setting).add({ on: 'delivery', kind: 'status', status: 200, match: '/queue/chunks' });

async function count({ pool }: Setting, text: string): Promise<number> {
  const { rows } = await pool.query<{ n: number }>(`select count(*)::int as n from ${text}`);
  return rows[0]?.n ?? Number.NaN;
}

/** Every tenth has a hundred chunks, the others one to nine. */
const chunksOfJob = (n: number): number => (n % 10 === 0 ? 100 : n % 10);

async function measureStuck(setting: Setting, jobs: number, latencyMs: number) {
  const { pool } = setting;
  swallowChunks(setting);
  if (latencyMs > 0) faultsOf(setting).add({ kind: 'latency', ms: latencyMs });
  await insertStuckJobs(
    async (text, params) => (await pool.query(text, params)).rows,
    jobs,
    chunksOfJob,
  );
  const stuck = `jobs where chunks_dispatched < chunks_total or progress_at < now() - interval '20 minutes'`;
  const seconds = await sweepUntil(setting, async () => (await count(setting, stuck)) === 0);
  const messages = Object.values(setting.stack.handles.qstash?.state().messages ?? {});
  return {
    'stuck jobs': jobs,
    chunks: await count(setting, 'job_chunks'),
    'queue answers after ms': latencyMs,
    'seconds from the cron': seconds,
    'QStash msgs': messages.reduce((sum, n) => sum + n, 0),
  };
}

/** Expired jobs of 200 chunks of ten leads and what was written to them. */
async function insertExpired({ pool }: Setting, chunks: number): Promise<void> {
  const leads = [...leadRows(500)];
  const mail = (i: number) =>
    leads
      .slice(i % 400, (i % 400) + 12)
      .map((row) => row[6])
      .join(' ');
  const samples = Array.from({ length: 50 }, (_, n) => ({
    rows: leads.slice(n * 10, n * 10 + 10),
    results: Array.from({ length: 10 }, (_, i) => ({
      status: 'ok',
      cells: [mail(n * 10 + i), mail(n * 7 + i)],
      run: 1,
    })),
  }));
  await pool.query(
    `with people as (insert into users (id) select gen_random_uuid() from generate_series(1, 50) returning id),
        numbered as (select id, row_number() over () as n from people)
      insert into jobs (user_id, filename, processor, prompt, header, status, run, metered, rows_total, rows_done,
          rows_succeeded, chunks_total, chunks_dispatched, created_at, started_at, progress_at, finished_at)
        select id, 'leads.csv', 'research_email', 'Write.', $2, 'completed', 1, false, 2000, 2000, 2000, 200, 200,
            now() - interval '31 days', now() - interval '31 days', now() - interval '31 days', now() - interval '31 days'
          from generate_series(1, $1::integer) g join numbered on n = 1 + g % 50`,
    [chunks / 200, JSON.stringify(leadHeader)],
  );
  await pool.query(
    `with samples as materialized (
        select n - 1 as n, sample -> 'rows' as rows, sample -> 'results' as results
          from json_array_elements($1::json) with ordinality as list (sample, n))
      insert into job_chunks (job_id, index, status, first_row, row_count, rows, results, rows_succeeded)
        select id, index, 'done', index * 10, 10, rows, results, 10
          from jobs, generate_series(0, 199) index join samples on n = index % 50
          where filename = 'leads.csv'`,
    [JSON.stringify(samples)],
  );
  await pool.query('checkpoint');
}

const calls = ['GET job', 'POST job', 'upload of 20 rows'] as const;
type Latencies = Record<(typeof calls)[number], number[]>;

/** One user's calls, one after the other, until `signal` aborts. */
async function callOn({ stack }: Setting, token: string, signal: AbortSignal): Promise<Latencies> {
  const seen: Latencies = { 'GET job': [], 'POST job': [], 'upload of 20 rows': [] };
  const headers = { authorization: `Bearer ${token}` };
  const text = `${leadHeader.join(',')}\n${csvOf(leadRows(20))}`;
  const timed = async (
    name: keyof Latencies,
    path: string,
    init: RequestInit,
    expected: number,
  ) => {
    const start = performance.now();
    const answer = await fetch(new URL(path, stack.api), init);
    const body = (await answer.json()) as { job: { id: string }; upload: { url: string } };
    seen[name].push(performance.now() - start);
    if (answer.status !== expected) throw new Error(`${name}: ${answer.status}`);
    return body;
  };
  while (!signal.aborted) {
    const { job, upload } = await timed(
      'POST job',
      '/v1/jobs',
      {
        method: 'POST',
        headers: { ...headers, 'content-type': 'application/json' },
        body: '{"filename":"a.csv"}',
      },
      201,
    );
    await timed('GET job', `/v1/jobs/${job.id}`, { headers }, 200);
    // Without credits it is kept, and nothing is worked.
    const csv = { method: 'PUT', headers: { ...headers, 'content-type': 'text/csv' }, body: text };
    await timed('upload of 20 rows', upload.url, csv, 402);
  }
  return seen;
}

async function measurePurge(setting: Setting, chunks: number, calmMs: number): Promise<Table> {
  const token = await setting.stack.token('bench-other', 'o@example.com', { verified: true });
  await callOn(setting, token, AbortSignal.timeout(calmMs / 3));
  await insertExpired(setting, chunks);
  const { rows: sizes } = await setting.pool.query<{ mb: number }>(
    "select pg_total_relation_size('job_chunks') / 1e6::float8 as mb",
  );
  await pause(3000);
  const without = await callOn(setting, token, AbortSignal.timeout(calmMs));
  const end = new AbortController();
  const during = callOn(setting, token, end.signal);
  const left = "jobs where filename = 'leads.csv' and purged_at is null";
  const seconds = await sweepUntil(setting, async () => (await count(setting, left)) === 0);
  end.abort();
  const beside = await during;
  const gone = await count(
    setting,
    "job_chunks c join jobs j on j.id = c.job_id and j.filename = 'leads.csv'",
  );
  if (gone !== 0) throw new Error(`${gone} chunks were left behind.`);
  return {
    title: `purge: ${chunks} expired chunks, ${Math.round(sizes[0]?.mb ?? 0)} MB, gone after ${seconds.toFixed(1)} s`,
    rows: calls.map((name) => ({
      'another user': name,
      'p50 ms without': percentile(without[name], 0.5),
      'p50 ms beside it': percentile(beside[name], 0.5),
      'p99 ms without': percentile(without[name], 0.99),
      'p99 ms beside it': percentile(beside[name], 0.99),
      'slowest ms beside it': Math.max(...beside[name]),
      calls: beside[name].length,
    })),
    notes: [
      'Jobs of 200 chunks of ten leads each with two texts; one user calls without a pause meanwhile.',
    ],
  };
}

/** A job of `rows` rows whose messages were taken and never arrive. */
async function runningJob(setting: Setting, token: string, rows: number): Promise<string> {
  const { api } = setting.stack;
  const headers = { authorization: `Bearer ${token}` };
  const created = await fetch(new URL('/v1/jobs', api), {
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/json' },
    body: '{"filename":"a.csv"}',
  });
  const { job, upload } = (await created.json()) as {
    job: { id: string };
    upload: { url: string };
  };
  const body = `${leadHeader.join(',')}\n${csvOf(leadRows(rows))}`;
  const csv = { ...headers, 'content-type': 'text/csv' };
  const sent = await fetch(new URL(upload.url, api), { method: 'PUT', headers: csv, body });
  if (sent.status !== 202) throw new Error(`The upload: ${sent.status}`);
  return job.id;
}

async function timesOf(ids: string[], call: (id: string) => Promise<Response>): Promise<number[]> {
  const times: number[] = [];
  for (const id of ids) {
    const start = performance.now();
    const answer = await call(id);
    await answer.arrayBuffer();
    times.push(performance.now() - start);
    if (!answer.ok) throw new Error(`It was refused: ${answer.status}`);
  }
  return times;
}

async function measureSlowQueue(setting: Setting, jobs: number): Promise<Table> {
  const { stack, pool } = setting;
  const token = await stack.token('bench-cancels', 'c@example.com', { verified: true });
  const headers = { authorization: `Bearer ${token}` };
  const faults = faultsOf(setting);
  swallowChunks(setting);
  const ids: string[] = [];
  for (let n = 0; n < jobs; n += 1) ids.push(await runningJob(setting, token, 600));
  const large = [
    await runningJob(setting, token, 90_000),
    await runningJob(setting, token, 90_000),
  ];
  const chunks = await count(setting, `job_chunks where job_id = '${large[0]}'`);
  // Half of them have chunks that somebody works on and does not commit.
  await pool.query(
    "update job_chunks set lease_token = gen_random_uuid(), lease_until = now() + interval '10 minutes' where job_id = any($1) and index < 3",
    [ids.slice(0, jobs / 2)],
  );
  faults.add({ kind: 'latency', ms: 10_000 });
  const cancel = (id: string) =>
    fetch(new URL(`/v1/jobs/${id}/cancel`, stack.api), { method: 'POST', headers });
  const cancels = await timesOf(ids, cancel);
  const cancelLarge = await timesOf(large, cancel);
  const remove = (id: string) =>
    fetch(new URL(`/v1/jobs/${id}`, stack.api), { method: 'DELETE', headers });
  const removals = await timesOf(large, remove);
  const row = (call: string, times: number[]) => ({
    call,
    'median ms': median(times),
    'slowest ms': Math.max(...times),
    calls: times.length,
  });
  return {
    title: 'a queue that answers after 10 s',
    rows: [
      row('cancel, 600 rows', cancels),
      row('cancel, 90,000 rows', cancelLarge),
      row(`delete, 90,000 rows in ${chunks} chunks`, removals),
    ],
    notes: ['Half of the jobs of 600 rows have chunks that invocations work on and do not commit.'],
  };
}

async function run({ quick }: Effort): Promise<Table[]> {
  const stuck: Table['rows'] = [];
  for (const latencyMs of [0, 100])
    stuck.push(
      await withStack(stackOf(0), (setting) =>
        measureStuck(setting, quick ? 200 : 1000, latencyMs),
      ),
    );
  const chunks = quick ? 10_000 : 100_000;
  const purge = await withStack(stackOf(0), (setting) =>
    measurePurge(setting, chunks, quick ? 3000 : 12_000),
  );
  const slow = await withStack(stackOf(1_000_000), (setting) =>
    measureSlowQueue(setting, quick ? 4 : 10),
  );
  const notes = [
    'Until all of their chunks are published again. The cron comes each minute: up to 60 s come on top.',
  ];
  return [{ title: 'watchdog: stuck jobs moving again', rows: stuck, notes }, purge, slow];
}

export const sweeps: Benchmark = {
  name: 'sweeps',
  about: 'stuck jobs, a purge and what others feel of it, cancels while the queue is slow',
  run,
};
