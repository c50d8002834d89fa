import { setTimeout as pause } from 'node:timers/promises';
import type { Benchmark, Effort, Table } from '../support/benchmark.ts';
import { leadHeader, leadRows } from '../support/leads.ts';
import { expectStatus } from '../support/load.ts';
import { medianOf, megabyte } from '../support/numbers.ts';
import { aboutCpu, cpuColumns, measureMemory, residentMb } from '../support/processes.ts';
import { type Setting, withStack } from '../support/setting.ts';

const rowsPerChunk = 60;

const summary = 'A family business in its third generation, known for patient work. '.repeat(6);
const email = 'Dear team,\n\nwe read that you are growing, and that "slow is smooth". '.repeat(8);

/** A finished job, made by SQL. */
async function makeJob(setting: Setting, token: string, count: number): Promise<string> {
  const { pool, stack } = setting;
  const answer = await fetch(`${stack.api}/v1/jobs`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ filename: 'leads.csv' }),
  });
  const { job } = (await answer.json()) as { job: { id: string } };
  const all = [...leadRows(count)];
  const chunks = Math.ceil(count / rowsPerChunk);
  for (let index = 0; index < chunks; index += 1) {
    const first = index * rowsPerChunk;
    const rows = all.slice(first, first + rowsPerChunk);
    const results = rows.map((_, i) => ({
      status: 'ok',
      cells: [`${first + i}: ${summary}`, `${first + i}: ${email}`],
    }));
    await pool.query(
      `insert into job_chunks (job_id, index, status, first_row, row_count, rows_succeeded, rows, results)
         values ($1, $2, 'done', $3, $4, $4, $5, $6)`,
      [job.id, index, first, rows.length, JSON.stringify(rows), JSON.stringify(results)],
    );
  }
  await pool.query(
    `update jobs set status = 'completed', run = 1, header = $2, rows_total = $3, rows_done = $3,
         rows_succeeded = $3, chunks_total = $4, started_at = now(), finished_at = now()
       where id = $1`,
    [job.id, JSON.stringify(leadHeader), count, chunks],
  );
  return job.id;
}

async function download(setting: Setting, token: string, id: string) {
  const { stack, load } = setting;
  await stack.worker.restart();
  await fetch(`${stack.api}/healthz`);
  await pause(200);
  const pid = stack.worker.pid ?? 0;
  const idleMb = residentMb(pid);
  const [cpu, peak, trips] = [setting.measureCpu(), measureMemory(pid), setting.roundTrips()];
  const url = `${stack.api}/v1/jobs/${id}/output`;
  const outcome = await load.perform({ kind: 'download', url, token });
  const [used, peakMb] = [cpu(outcome.cpuSeconds), peak()];
  expectStatus(outcome, 200);
  return {
    bytes: outcome.bytes,
    mbPerSecond: outcome.bytes / megabyte / outcome.seconds,
    idleMb,
    aboveMb: peakMb - idleMb,
    trips: setting.roundTrips() - trips,
    cpu: used,
    units: outcome.bytes / megabyte,
  };
}

async function measure(setting: Setting, { quick }: Effort): Promise<Table> {
  const token = await setting.stack.token('bench-output', 'output@example.com');
  const sizes = quick ? [5000] : [5000, 20_000];
  const times = quick ? 1 : 3;
  const rows: Table['rows'] = [];
  for (const count of sizes) {
    const id = await makeJob(setting, token, count);
    await download(setting, token, id);
    const seen = [];
    for (let round = 0; round < times; round += 1) seen.push(await download(setting, token, id));
    rows.push({
      rows: count,
      'file MB': (seen[0]?.bytes ?? 0) / megabyte,
      'MB/s': medianOf(seen, ({ mbPerSecond }) => mbPerSecond),
      'DB round trips': seen[0]?.trips ?? null,
      'idle MB': medianOf(seen, ({ idleMb }) => idleMb),
      'peak above idle MB': medianOf(seen, ({ aboveMb }) => aboveMb),
      ...cpuColumns(seen, 'ms/MB', 1000),
    });
  }
  const notes = [
    `Medians of ${times} rounds, workerd started anew for each; one reader.`,
    aboutCpu,
  ];
  return { title: 'output: GET /v1/jobs/{id}/output', rows, notes };
}

export const output: Benchmark = {
  name: 'output',
  about: 'the result CSV of a finished job: MB/s and memory',
  run: (effort) => withStack({}, async (setting) => [await measure(setting, effort)]),
};
