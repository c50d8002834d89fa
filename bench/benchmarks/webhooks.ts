import type { Benchmark, Effort, Table } from '../support/benchmark.ts';
import { expectStatus } from '../support/load.ts';
import type { Outcome } from '../support/load-tasks.ts';
import { medianOf, percentile } from '../support/numbers.ts';
import { pgbench, pgbenchVersion } from '../support/pgbench.ts';
import { aboutCpu, type Cpu, cpuColumns } from '../support/processes.ts';
import { type Setting, withStack } from '../support/setting.ts';
import { lateFacts } from './late-facts.ts';
import { sales } from './sales.ts';
import * as stripe from '../support/stripe-load.ts';

/** So many that no connection, however slow, is overtaken by a later event of its user: SQL alone cannot fold. */
const users = 2000;
const connections = 32;
/** Events a connection before each measurement. */
const warmUp = 16;

type Round = {
  perSecond: number;
  p50: number;
  p99: number;
  cpu?: Cpu;
  /** Where no more than that can be told apart. */
  postgresSeconds?: number;
  /** Events that the CPU was measured over. */
  count: number;
  roundTrips?: number;
};
type Bench = {
  setting: Setting;
  sales: stripe.Sales;
  hasPgbench: boolean;
};
type Driver = (bench: Bench, count: number, parallel: number) => Promise<Round>;

const roundOf = ({ seconds, latenciesMs }: Outcome): Round => ({
  count: latenciesMs.length,
  perSecond: latenciesMs.length / seconds,
  p50: percentile(latenciesMs, 0.5),
  p99: percentile(latenciesMs, 0.99),
});

const viaWorker: Driver = async ({ setting, sales }, count, parallel) => {
  const { stack, load } = setting;
  const url = new URL('/webhooks/stripe', stack.api);
  const events = sales.make(count);
  const requests = stripe.deliveries(events, url, stack.secrets.stripeWebhookSecret);
  const cpu = setting.measureCpu();
  const trips = setting.roundTrips();
  const port = Number(url.port);
  const outcome = await load.perform({ kind: 'http', port, connections: parallel, requests });
  expectStatus(outcome, 200);
  return {
    ...roundOf(outcome),
    cpu: cpu(outcome.cpuSeconds),
    roundTrips: (setting.roundTrips() - trips) / count,
  };
};

const viaProxy: Driver = async ({ setting, sales }, count, parallel) => {
  const endpoint = new URL('/sql', setting.stack.services.neon);
  const statements = await stripe.statementsOf(setting.pool, sales.make(count));
  const requests = stripe.neonCalls(statements, endpoint, setting.databaseUrl);
  const port = Number(endpoint.port);
  const cpu = setting.measureCpu();
  const outcome = await setting.load.perform({
    kind: 'http',
    port,
    connections: parallel,
    requests,
  });
  expectStatus(outcome, 200);
  return { ...roundOf(outcome), cpu: cpu(outcome.cpuSeconds), roundTrips: 1 };
};

const throughPg: Driver = async ({ setting, sales }, count, parallel) => {
  const first = await stripe.statementsOf(setting.pool, sales.make(warmUp * parallel));
  const { text, params } = await stripe.statementsOf(setting.pool, sales.make(count));
  const cpu = setting.measureCpu();
  const outcome = await setting.load.perform({
    kind: 'sql',
    url: setting.databaseUrl,
    connections: parallel,
    statement: text,
    params,
    warmUp: first.params,
  });
  return {
    ...roundOf(outcome),
    cpu: cpu(outcome.cpuSeconds),
    count: count + warmUp * parallel,
  };
};

const throughPgbench: Driver = async ({ setting, sales }, count, parallel) => {
  const { text, params } = await stripe.statementsOf(
    setting.pool,
    sales.make(count + warmUp * parallel),
  );
  const call = /select ([\w.]+)\(/.exec(text)?.[1] ?? '';
  const { pool, databaseUrl } = setting;
  const { perSecond, latenciesMs, postgresSeconds } = await pgbench({
    pool,
    databaseUrl,
    call,
    types: ['jsonb', 'text'],
    params,
    connections: parallel,
    warmUp,
    measure: () => setting.measureCpu(),
  });
  return {
    count: params.length,
    perSecond,
    p50: percentile(latenciesMs, 0.5),
    p99: percentile(latenciesMs, 0.99),
    postgresSeconds,
  };
};

/** For those whose connections to the database stay: the proxy's. */
const warmed =
  (driver: Driver): Driver =>
  async (bench, count, parallel) => {
    await driver(bench, warmUp * parallel, parallel);
    return driver(bench, count, parallel);
  };

const drivers: Record<string, Driver> = {
  Worker: warmed(viaWorker),
  'Neon proxy over HTTP': warmed(viaProxy),
  'pg loop': throughPg,
  pgbench: throughPgbench,
};

/** Rounds by turns, so that a noisy neighbour meets all of them. */
async function rounds(bench: Bench, count: number, times: number, parallel: number) {
  const found = new Map<string, Round[]>();
  for (let round = 0; round < times; round += 1)
    for (const [name, driver] of Object.entries(drivers)) {
      if (name === 'pgbench' && !bench.hasPgbench) continue;
      const list = found.get(name) ?? [];
      // What autovacuum does within a minute: plans made for empty tables would read grown ones whole.
      await bench.setting.pool.query('vacuum analyze');
      list.push(await driver(bench, count, parallel));
      found.set(name, list);
    }
  return found;
}

/** @throws Error when an event is missing or not completed, or a balance is not its ledger's sum. */
async function audit({ setting, sales }: Bench): Promise<string> {
  const { rows } = await setting.pool.query<{
    completed: number;
    others: number;
    wrong: number;
    packs: number;
  }>(
    `select
       (select count(*)::int from stripe_events where status = 'completed') as completed,
       (select count(*)::int from stripe_events where status <> 'completed') as others,
       (select count(*)::int from users u where credits_balance <>
         (select coalesce(sum(amount), 0) from credit_entries where user_id = u.id)) as wrong,
       (select count(*)::int from credit_entries where kind = 'pack') as packs`,
  );
  const [seen] = rows;
  if (
    seen?.completed !== sales.made ||
    seen.others > 0 ||
    seen.wrong > 0 ||
    seen.packs !== sales.packs
  )
    throw new Error(
      `The data is wrong: of ${sales.made} events ${seen?.completed} are completed and ${seen?.others} are not; ${seen?.packs} of ${sales.packs} packs were granted; ${seen?.wrong} balances are not the sum of their ledger.`,
    );
  return `Audited by SQL: all ${sales.made} events completed, ${sales.packs} packs granted once, every balance is the sum of its ledger.`;
}

const ratio = (a: Round[], b: Round[] | undefined): number | null =>
  b ? medianOf(a, ({ perSecond }) => perSecond) / medianOf(b, ({ perSecond }) => perSecond) : null;

function cpuOf(list: Round[]) {
  const measured = list.flatMap(({ cpu, count }) => (cpu ? [{ cpu, units: count }] : []));
  if (measured.length > 0) return cpuColumns(measured, 'µs', 1_000_000);
  const perEvent = ({ postgresSeconds = Number.NaN, count }: Round) => postgresSeconds / count;
  return { 'Postgres µs': medianOf(list, perEvent) * 1_000_000 };
}

function atOnce(found: Map<string, Round[]>): Table {
  const worker = found.get('Worker') ?? [];
  const rows = [...found].map(([name, list]) => ({
    'driven by': name,
    'events/s': medianOf(list, ({ perSecond }) => perSecond),
    'p50 ms': medianOf(list, ({ p50 }) => p50),
    'p99 ms': medianOf(list, ({ p99 }) => p99),
    'round trips/event': list[0]?.roundTrips ?? null,
    'Worker is at': name === 'Worker' ? null : `${((ratio(worker, list) ?? 0) * 100).toFixed(0)} %`,
    ...cpuOf(list),
  }));
  return { title: `webhooks: ${connections} connections`, rows, notes: [aboutCpu] };
}

function oneByOne(found: Map<string, Round[]>): Table {
  const p50Of = (name: string): number => medianOf(found.get(name) ?? [], ({ p50 }) => p50);
  const rows = [...found].map(([name, list]) => ({
    'driven by': name,
    'p50 ms': p50Of(name),
    'p99 ms': medianOf(list, ({ p99 }) => p99),
    'Worker adds at p50, ms': name === 'Worker' ? null : p50Of('Worker') - p50Of(name),
  }));
  return { title: 'webhooks: one at a time', rows, notes: [] };
}

async function measure(bench: Bench, { quick }: Effort): Promise<Table[]> {
  const count = connections * (quick ? 40 : 100);
  const times = quick ? 1 : 3;
  const busy = atOnce(await rounds(bench, count, times, connections));
  const calm = oneByOne(await rounds(bench, quick ? 100 : 200, times, 1));
  const sample = bench.sales.make(2);
  const sizes = await stripe.statementsOf(bench.setting.pool, sample);
  bench.sales.made -= 2;
  bench.sales.packs -= 1;
  const bytes = sample.map((made) => JSON.stringify(made).length).join(' and ');
  const sent = sizes.params.map((params) => params.join('').length).join(' and ');
  busy.notes.unshift(
    `${users} known users; by turns invoice.paid of a renewal and checkout.session.completed of a pack: ${bytes} bytes from Stripe, ${sent} to the database. Medians of ${times} rounds of ${count} events, each after a VACUUM ANALYZE and ${warmUp} events a connection.`,
    await audit(bench),
  );
  if (bench.hasPgbench)
    busy.notes.unshift(
      'pgbench: prepared, parameters read from a table of the database instead of sent by the client.',
    );
  return [busy, calm];
}

export const webhooks: Benchmark = {
  name: 'webhooks',
  about: "Stripe's events: rate, latency and round trips, beside the same SQL without the Worker",
  run: async (effort) => {
    if (effort.against !== undefined) return [...(await sales(effort)), await lateFacts(effort)];
    const driven = await withStack({}, async (setting) => {
      const known = await stripe.makeUsers(setting.pool, users);
      const made = new stripe.Sales(known, await stripe.pricesOf(setting.pool));
      const hasPgbench = (await pgbenchVersion()) !== undefined;
      return measure({ setting, sales: made, hasPgbench }, effort);
    });
    return [...driven, ...(await sales(effort)), await lateFacts(effort)];
  },
};
