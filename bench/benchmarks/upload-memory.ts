import { setTimeout as pause } from 'node:timers/promises';
import type { Benchmark, Effort, Table } from '../support/benchmark.ts';
import { measureHeld } from '../support/heap.ts';
import { csvOf, leadRows } from '../support/leads.ts';
import { expectStatus } from '../support/load.ts';
import { perform } from '../support/load-tasks.ts';
import { megabyte } from '../support/numbers.ts';
import { measureMemory, residentMb } from '../support/processes.ts';
import { type Setting, withStack } from '../support/setting.ts';

const fileBytes = 8 * megabyte;
/** Less than the platform grants. */
const heapMb = 100;

const wide = (cell: string, columns: number): string =>
  `${Array<string>(columns).fill(cell).join(',')}\n`;

/** Blocks that files are made of, by what is said of them: what takes more memory than bytes. */
const texts: Record<string, string> = {
  'leads, as people have them': csvOf(leadRows(3000)),
  'U+0001, 100 a cell': wide('\u0001'.repeat(100), 10).repeat(100),
  'U+0001, rows of 1 MB': wide('\u0001'.repeat(99_000), 10),
  'quotes, 50 a cell': wide(`"${'""'.repeat(50)}"`, 10).repeat(100),
  'backslashes, 100 a cell': wide('\\'.repeat(100), 10).repeat(100),
  'one character a cell': wide('a', 1000).repeat(50),
  'two characters a cell': wide('ab', 10).repeat(3000),
  'nothing but commas': wide('', 1000).replace(/^/, 'a').repeat(100),
  'characters of three bytes': wide('漢'.repeat(40), 10).repeat(100),
  'one of three bytes, then quotes': wide(`"漢${'""'.repeat(50)}"`, 10).repeat(100),
};

async function newJob({ stack }: Setting, name: string) {
  const token = await stack.token(`bench-${name}`, `${name}@example.com`);
  const created = await fetch(`${stack.api}/v1/jobs`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ filename: 'large.csv' }),
  });
  const { job } = (await created.json()) as { job: { id: string } };
  return { token, url: `${stack.api}/v1/jobs/${job.id}/input` };
}

type How = { text: string; atOnce: number };
type Stop = () => number | Promise<number>;

/** Sends the same file `atOnce` times, each for another user, to a Worker that was just started. */
async function send(setting: Setting, { text, atOnce }: How, measure: () => Stop | Promise<Stop>) {
  const { stack, pool } = setting;
  await stack.worker.restart();
  const users = Array.from({ length: atOnce }, (_, i) => `memory-${i}`);
  const jobs = await Promise.all(users.map((name) => newJob(setting, name)));
  await pause(200);
  const stop = await measure();
  const block = Buffer.from(text);
  const columns = text.slice(0, text.indexOf('\n')).split(',').length;
  const head = `${Array.from({ length: columns }, (_, i) => `c${i}`).join(',')}\n`;
  const start = performance.now();
  const sent = await Promise.all(
    jobs.map((job) => perform({ kind: 'upload', ...job, head, block, bytes: fileBytes })),
  );
  const seconds = (performance.now() - start) / 1000;
  const peak = await stop();
  // No credits: the rows are stored and the job waits, so that nothing else runs.
  for (const one of sent) expectStatus(one, 402);
  await pool.query('truncate job_chunks');
  await pool.query("update jobs set status = 'cancelled'");
  return { peak, mbPerSecond: sent.reduce((sum, { bytes }) => sum + bytes, 0) / 1e6 / seconds };
}

const held = (setting: Setting, how: How) =>
  send(setting, how, () => measureHeld(setting.stack.worker.inspectorPort ?? 0));

/** The same without an inspector: null when the isolate came to its end. */
async function resident(setting: Setting, how: How) {
  try {
    return await send(setting, how, () => {
      const pid = setting.stack.worker.pid ?? 0;
      const [idleMb, peak] = [residentMb(pid), measureMemory(pid)];
      return () => peak() - idleMb;
    });
  } catch (error) {
    if (!/ECONNRESET|EPIPE|socket hang up/.test(String(error))) throw error;
    return null;
  }
}

async function measure({ quick }: Effort): Promise<Table> {
  const counts = quick ? [6] : [1, 3, 6];
  const each = Object.entries(texts).flatMap(([name, text]) =>
    counts.map((atOnce) => ({ name, text, atOnce })),
  );
  const env = { SIGNUP_CREDITS: '0', MAX_ROWS: '1000000' };
  const rows: Table['rows'] = [];
  await withStack({ inspect: true, env }, async (setting) => {
    for (const { name, ...how } of each)
      rows.push({
        '8 MB of': name,
        'at once': how.atOnce,
        'held MB': (await held(setting, how)).peak,
      });
  });
  await withStack({ v8Flags: [`--max-heap-size=${heapMb}`], env }, async (setting) => {
    for (const [i, how] of each.entries()) {
      const seen = await resident(setting, how);
      Object.assign(rows[i] ?? {}, {
        'above idle MB': seen?.peak ?? 'ended',
        'MB/s': seen?.mbPerSecond ?? null,
      });
    }
  });
  const notes = [
    "Held: V8's heap and array buffers of the isolate, its code too, each time after a full collection, every 40 ms and what that takes; the platform grants 128 MB.",
    `Above idle: VmRSS of workerd with V8 held to ${heapMb} MB, of which it leaves little free, and with the bodies of statements, which lie outside of V8; "ended": the isolate did not survive it.`,
  ];
  return { title: 'upload-memory: several uploads at once in one isolate', rows, notes };
}

export const uploadMemory: Benchmark = {
  name: 'upload-memory',
  about: 'memory of 1, 3 and 6 uploads at once of the texts that take most',
  run: async (effort) => [await measure(effort)],
};
