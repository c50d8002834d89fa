import type { Benchmark, Effort, Table } from '../support/benchmark.ts';
import { requestBytes } from '../support/http-client.ts';
import { expectStatus } from '../support/load.ts';
import { medianOf, percentile } from '../support/numbers.ts';
import { aboutCpu, type Cpu, cpuColumns } from '../support/processes.ts';
import { type Setting, withStack } from '../support/setting.ts';
import { makeUsers, pricesOf, Sales, statementsOf } from '../support/stripe-load.ts';

const connections = 32;
const paths = ['/healthz', '/v1/me', '/v1/billing/subscription'];

type Seen = { perSecond: number; p50: number; p99: number; roundTrips: number; cpu: Cpu };

async function measureOne(input: {
  setting: Setting;
  path: string;
  token: string;
  count: number;
  parallel: number;
}): Promise<Seen> {
  const { setting, count, parallel } = input;
  const url = new URL(input.path, setting.stack.api);
  const request = requestBytes('GET', url, { authorization: `Bearer ${input.token}` });
  const cpu = setting.measureCpu();
  const trips = setting.roundTrips();
  const outcome = await setting.load.perform({
    kind: 'http',
    port: Number(url.port),
    connections: parallel,
    requests: Array.from({ length: count }, () => request),
  });
  expectStatus(outcome, 200);
  return {
    perSecond: count / outcome.seconds,
    p50: percentile(outcome.latenciesMs, 0.5),
    p99: percentile(outcome.latenciesMs, 0.99),
    roundTrips: (setting.roundTrips() - trips) / count,
    cpu: cpu(outcome.cpuSeconds),
  };
}

async function measure(setting: Setting, { quick }: Effort): Promise<Table> {
  const [user] = await makeUsers(setting.pool, 1);
  const sales = new Sales(user ? [user] : [], await pricesOf(setting.pool));
  const { text, params } = await statementsOf(setting.pool, sales.make(2));
  for (const values of params) await setting.pool.query(text, values);
  const token = await setting.stack.token('bench-1', 'bench1@example.com', { verified: true });

  const count = quick ? 1000 : 3000;
  const times = quick ? 1 : 3;
  const rows: Table['rows'] = [];
  for (const path of paths) {
    const base = { setting, path, token };
    await measureOne({ ...base, count: count / 4, parallel: connections });
    const busy: Seen[] = [];
    const calm: Seen[] = [];
    for (let round = 0; round < times; round += 1) {
      busy.push(await measureOne({ ...base, count, parallel: connections }));
      calm.push(await measureOne({ ...base, count: quick ? 100 : 300, parallel: 1 }));
    }
    rows.push({
      GET: path,
      'req/s': medianOf(busy, ({ perSecond }) => perSecond),
      'p50 ms': medianOf(busy, ({ p50 }) => p50),
      'p99 ms': medianOf(busy, ({ p99 }) => p99),
      'alone p50 ms': medianOf(calm, ({ p50 }) => p50),
      'alone p99 ms': medianOf(calm, ({ p99 }) => p99),
      'DB round trips': medianOf(busy, ({ roundTrips }) => roundTrips),
      ...cpuColumns(
        busy.map(({ cpu }) => ({ cpu, units: count })),
        'µs',
        1_000_000,
      ),
    });
  }
  const title = `reads: one warm user with a plan, ${connections} connections`;
  const notes = [
    `Medians of ${times} rounds of ${count} requests; "alone" is one connection. /v1/* also asks Redis for the rate limit.`,
    aboutCpu,
  ];
  return { title, rows, notes };
}

export const reads: Benchmark = {
  name: 'reads',
  about: 'GET /v1/me, /v1/billing/subscription, /healthz: rate, latency, round trips',
  run: (effort) => withStack({}, async (setting) => [await measure(setting, effort)]),
};
