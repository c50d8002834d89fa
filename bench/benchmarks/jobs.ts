import { chunkBudget, chunkSize } from '../../functions/shared/lanes.pure.ts';
import { bestChunking, jobSeconds } from '../simulate.ts';
import type { Benchmark, Effort, Table } from '../support/benchmark.ts';
import { jobStack, limits, runJob } from '../support/job-run.ts';
import { dollarsOf } from '../support/prices.ts';
import { aboutCpu, cpuColumns } from '../support/processes.ts';
import { type Setting, withStack } from '../support/setting.ts';

/** Seconds: of the system that Rowloom replaces, and what issue 4 aims at. */
const known = new Map([
  [1000, { replaced: 15, aim: 6 }],
  [10_000, { replaced: 150, aim: 40 }],
  [50_000, { replaced: 720, aim: 180 }],
]);

const largestChunk = 60;

const percent = (share: number): string => `${(share * 100).toFixed(0)} %`;
const aboutPrices =
  'US cents at list price, pay as you go: QStash $1 per 100,000 messages, Redis $0.20 per 100,000 commands, Neon $0.35 per GB and month, Workers $0.30 per million requests and $0.02 per million ms of CPU. What the search and the model cost is not in it.';

async function measure(setting: Setting, { quick, full }: Effort): Promise<Table[]> {
  const sizes = quick ? [200] : full ? [1000, 10_000, 50_000] : [1000];
  const token = await setting.stack.token('bench-jobs', 'jobs@example.com', { verified: true });
  await runJob(setting, token, 200);
  const times: Table['rows'] = [];
  const costs: Table['rows'] = [];
  const dollars: Table['rows'] = [];
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
      'Redis commands/1,000 rows': seen.commands / thousands,
      'DB kB/1,000 rows': seen.bytes / 1000 / thousands,
      'most waiting for headers': seen.waiting,
      ...cpuColumns([{ cpu: seen.cpu, units: count }], 'ms/row', 1000),
      'timers late p99 ms': seen.lagMs,
    });
    const cost = dollarsOf({
      qstashMessages: seen.messages,
      redisCommands: seen.commands,
      databaseBytes: seen.bytes,
      workerRequests: seen.messages,
      workerCpuMs: seen.cpu.workerd * 1000,
    });
    dollars.push({
      rows: count,
      'QStash ¢/1,000 rows': (cost.qstash / thousands) * 100,
      'Redis ¢/1,000 rows': (cost.redis / thousands) * 100,
      'database ¢/1,000 rows/month': (cost.database / thousands) * 100,
      'Workers ¢/1,000 rows': (cost.workers / thousands) * 100,
    });
  }
  const { searchMs, llmFirstByteMs, llmStreamMs } = limits;
  const note = `Search ${searchMs} ms, model ${llmFirstByteMs} ms to the first byte and ${llmStreamMs} ms of stream; ${limits.invocations} deliveries at once, ${limits.slots} header slots, ${limits.rowsAtOnce} rows at once in each. From the upload's first byte to the job's end. "limit": the same rules simulated with chunks of this size and nothing else taking time; "best": with the best size up to ${largestChunk}. By job.pure.ts an exactly known count would give chunks of ${sizes.map((count) => chunkSize(count, chunkBudget(count, limits.invocations))).join(', ')} rows.`;
  const perChunk =
    'DB trips: everything the job did, upload and dispatch included, by number of chunks. kB: growth of jobs, job_chunks and credit_entries with their indexes. Timers late: how far the one thread of all stand-ins falls behind.';
  return [
    { title: 'jobs: time', rows: times, notes: [note] },
    { title: 'jobs: what they take', rows: costs, notes: [perChunk, aboutCpu] },
    { title: 'jobs: what that costs', rows: dollars, notes: [aboutPrices] },
  ];
}

export const jobs: Benchmark = {
  name: 'jobs',
  about: 'whole jobs at real latencies, beside the limit that the platform sets',
  run: (effort) => withStack(jobStack, (setting) => measure(setting, effort)),
};
