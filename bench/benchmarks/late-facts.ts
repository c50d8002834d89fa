import { callThrough } from '../../db/call.ts';
import type { Ctx } from '../../functions/context.ts';
import { differenceOf } from '../../functions/ledger/difference.pure.ts';
import type { Fact } from '../../functions/ledger/facts.pure.ts';
import { readTimeline, refoldUser } from '../../functions/ledger/refold.ts';
import { root } from '../../local/stack/settings.ts';
import { event, packSession } from '../../tests/support/stripe-events.ts';
import type { Effort, Table } from '../support/benchmark.ts';
import { type Checkout, startCheckout } from '../support/checkout.ts';
import { requestBytes } from '../support/http-client.ts';
import { expectStatus, Load } from '../support/load.ts';
import { median, megabyte, percentile } from '../support/numbers.ts';
import { deliveries, pricesOf } from '../support/stripe-load.ts';

const day = 86_400;
const firstDay = Math.floor(Date.now() / 1000) - 365 * day;

/** A year of one user: a pack, then ten jobs that hold credits and give most of them back, and again. */
function yearOf(count: number): Fact[] {
  const apart = Math.floor((364 * day) / count);
  return Array.from({ length: count }, (_, n): Fact => {
    const atUs = (firstDay + n * apart) * 1e6;
    const told = { atUs, decidedAtMs: atUs / 1000 };
    const [group, nth] = [Math.floor(n / 21), n % 21];
    if (nth === 0) {
      const sale = { session: `cs_${group}`, pack: 'pack', quantity: 1, total: 900, credits: 1000 };
      return { kind: 'pack', key: `session:cs_${group}`, ...told, ...sale };
    }
    const job = jobOf(group, Math.ceil(nth / 2));
    const hold = `hold:${job}:1`;
    return nth % 2 === 1
      ? { kind: 'hold', key: hold, ...told, job, run: 1, credits: 100 }
      : {
          kind: 'release',
          key: `release:${job}:1`,
          ...told,
          job,
          run: 1,
          hold,
          credits: 10,
          rows: 90,
        };
  });
}

const jobOf = (group: number, nth: number): string =>
  `00000000-0000-4000-8000-${String(group * 100 + nth).padStart(12, '0')}`;

/** A user of so many facts, signed up over HTTP. */
async function makeUser({ api, pool, token }: Checkout, load: Load, ctx: Ctx, count: number) {
  const headers = { authorization: `Bearer ${await token('bench')}` };
  const requests = [requestBytes('GET', new URL('/v1/me', api), headers)];
  const task = { kind: 'http', port: Number(api.port), connections: 1, requests } as const;
  expectStatus(await load.perform(task), 200);
  const { rows } = await pool.query<{ id: string }>('select id from users');
  const userId = rows[0]?.id ?? '';
  await refoldUser(ctx, { userId, tell: () => yearOf(count) });
  await pool.query('vacuum analyze');
  return userId;
}

const pagesRead = async ({ pool }: Checkout): Promise<number> => {
  const { rows } = await pool.query<{ pages: string }>(
    'select pg_stat_force_next_flush(), blks_hit + blks_read as pages from pg_stat_database where datname = current_database()',
  );
  return Number(rows[0]?.pages);
};

/** Packs that were paid while jobs ran after them: each one is a fold of everything. */
async function deliverLate(checkout: Checkout, load: Load, userId: string, count: number) {
  const { pack } = await pricesOf(checkout.pool);
  const events = Array.from({ length: count }, (_, n) => {
    const session = packSession({ userId, customer: 'cus_bench', pack, quantity: 1 });
    return event('checkout.session.completed', session, { created: firstDay + n * day + 3601 });
  });
  const url = new URL('/webhooks/stripe', checkout.api);
  const requests = deliveries(events, url, checkout.webhookSecret);
  const end = await checkout.measure(false);
  const outcome = await load.perform({
    kind: 'http',
    port: Number(url.port),
    connections: 1,
    requests,
  });
  expectStatus(outcome, 200);
  return { ...outcome, ...(await end(outcome.cpuSeconds)) };
}

/** The median time of `work` alone; `prepare` comes before each. */
async function timesOf(
  work: () => unknown,
  times: number,
  prepare: () => unknown = () => undefined,
): Promise<number> {
  const found: number[] = [];
  for (let n = 0; n < times; n += 1) {
    await prepare();
    const start = performance.now();
    await work();
    found.push(performance.now() - start);
  }
  return median(found);
}

/** What a late fact costs a user with a long history, and a refold of such a user. */
export async function lateFacts({ quick }: Effort): Promise<Table> {
  const [length, late] = quick ? [1000, 20] : [10_000, 200];
  const checkout = await startCheckout('this', root);
  const load = new Load();
  try {
    const { pool } = checkout;
    const call = callThrough(async (text, params) => (await pool.query(text, params)).rows);
    const ctx = { db: { call }, now: () => new Date() } as unknown as Ctx;
    const userId = await makeUser(checkout, load, ctx, length);
    const answer = await pool.query<{ bytes: number }>(
      'select octet_length(row_to_json(f)::text) as bytes from (select array_agg(body) from credit_facts) f',
    );
    const pages = await pagesRead(checkout);
    const told = await deliverLate(checkout, load, userId, late);
    const read = (await pagesRead(checkout)) - pages;
    const timeline = await readTimeline(ctx, userId);
    const nowUs = Date.now() * 1000;
    const folding = await timesOf(
      () => differenceOf(timeline, timeline.facts, { nowUs, told: [] }),
      11,
    );
    const whole = await timesOf(
      () => refoldUser(ctx, { userId }),
      11,
      () => pool.query('update users set stale_since = now() where id = $1', [userId]),
    );
    const row = {
      facts: length,
      'p50 ms': percentile(told.latenciesMs, 0.5),
      'p99 ms': percentile(told.latenciesMs, 0.99),
      'max ms': percentile(told.latenciesMs, 1),
      'round trips': told.roundTrips / late,
      'workerd ms': (told.cpu.workerd / late) * 1000,
      'Postgres ms': (told.cpu.postgres / late) * 1000,
      'facts MB': Number(answer.rows[0]?.bytes) / megabyte,
      'pages read MB': (read * 8192) / late / megabyte,
      'WAL KB': told.walBytes / late / 1000,
      'refold ms': whole,
      'of it TypeScript ms': folding,
    };
    const notes = [
      `${late} packs delivered one at a time, each paid a year of jobs ago; facts: one per row of the user's timeline, by 21s a pack, ten holds and ten releases. Refold: through pg in Node, median of 11.`,
    ];
    return { title: 'webhooks: late facts', rows: [row], notes };
  } finally {
    await Promise.allSettled([checkout.close(), load.close()]);
  }
}
