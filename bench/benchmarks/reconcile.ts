import { readFileSync } from 'node:fs';
import type { Reconciled } from '../../functions/stripe/reconcile.ts';
import type { Benchmark, Table } from '../support/benchmark.ts';
import { megabyte } from '../support/numbers.ts';
import { type Setting, withStack } from '../support/setting.ts';

/** Requests that the Stripe stand-in has met: each second since it was asked for, and all together. */
function countCalls({ stack }: Setting) {
  const faults = stack.handles.stripe?.faults;
  if (!faults) throw new Error('There is no Stripe stand-in.');
  const take = faults.take.bind(faults);
  let moments: number[] = [];
  // Every request passes by its fault switches.
  faults.take = (on, subject) => {
    if (on === 'request') moments.push(performance.now());
    return take(on, subject);
  };
  return () => {
    const seen = moments;
    moments = [];
    let first = 0;
    let most = 0;
    for (const [last, at] of seen.entries()) {
      while ((seen[first] ?? at) <= at - 1000) first += 1;
      most = Math.max(most, last - first + 1);
    }
    return { calls: seen.length, mostInASecond: most };
  };
}

/** Resident memory of a process in bytes, where there is a /proc. */
function memoryOf(pid: number): number {
  try {
    const [, kilobytes] = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
    return Number(kilobytes) * 1024;
  } catch {
    return Number.NaN;
  }
}

async function peakDuring<T>(
  pid: number,
  work: () => Promise<T>,
): Promise<{ done: T; peak: number }> {
  let peak = memoryOf(pid);
  const timer = setInterval(() => (peak = Math.max(peak, memoryOf(pid))), 100);
  try {
    return { done: await work(), peak };
  } finally {
    clearInterval(timer);
  }
}

const rowsOf = async <T extends object>({ pool }: Setting, text: string, params: unknown[] = []) =>
  (await pool.query<T>(text, params)).rows;

/** Users by SQL, and at Stripe what our own checkout would have sold them; nothing is told. */
async function makeCustomers(setting: Setting, count: number): Promise<void> {
  const users = await rowsOf<{ id: string }>(
    setting,
    "insert into users (email) select 'bench' || n || '@example.com' from generate_series(1, $1) n returning id",
    [count],
  );
  const [prices] = await rowsOf<{ plan: string; pack: string; key: string }>(
    setting,
    `select (select price_id from stripe_prices where kind = 'plan' and interval = 'month' and credits > 0
        order by amount_cents limit 1) as plan, price_id as pack, key
      from stripe_prices where kind = 'pack' order by amount_cents limit 1`,
  );
  if (!prices) throw new Error('There is nothing to sell.');
  const user = { user_id: '{user}' };
  setting.stack.handles.stripe?.makePast({
    users: users.map(({ id }) => id),
    plan: prices.plan,
    pack: prices.pack,
    marks: {
      customer: user,
      plan: user,
      subscription: user,
      pack: { ...user, pack: prices.key, quantity: '1', price_id: prices.pack },
      reference: '{user}',
    },
  });
}

/** Money back that nobody is told of: for so many customers. */
async function refundSome({ stack }: Setting, count: number): Promise<void> {
  const stripe = stack.handles.stripe;
  const call = async (path: string, body?: URLSearchParams) => {
    const answer = await fetch(`${stripe?.url}/v1/${path}`, {
      headers: { authorization: `Bearer ${stripe?.secretKey}` },
      ...(body && { method: 'POST', body }),
    });
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    return (await answer.json()) as {
      data: { id: string; amount_refunded: number; disputed: boolean }[];
    };
  };
  await fetch(`${stripe?.url}/_local/deliveries`, { method: 'POST', body: '{"paused":true}' });
  const charges: string[] = [];
  for (let last = ''; charges.length < count;) {
    const { data } = await call(`charges?limit=100${last}`);
    charges.push(
      ...data.filter((one) => one.amount_refunded === 0 && !one.disputed).map(({ id }) => id),
    );
    last = `&starting_after=${data.at(-1)?.id}`;
  }
  for (const charge of charges.slice(0, count))
    await call('refunds', new URLSearchParams({ charge, amount: '100' }));
}

/** A whole walk, however many calls it takes. */
async function walk({ stack, pool }: Setting, input: object) {
  let cursor: string | null | undefined;
  let checked = 0;
  let differences = 0;
  let steps = 0;
  while (cursor !== null) {
    const answer = await fetch(`${stack.api}/v1/admin/reconcile`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${stack.secrets.adminToken}`,
        'content-type': 'application/json',
      },
      body: JSON.stringify({ ...input, cursor }),
    });
    const page = (await answer.json()) as Reconciled;
    if (answer.status !== 200)
      throw new Error(`reconcile: ${answer.status} ${JSON.stringify(page)}`);
    checked += page.checked;
    differences += page.differences.length;
    const failed = page.differences.find(({ status }) => status === 'failed');
    if (failed) throw new Error(failed.says);
    steps += 1;
    cursor = page.nextCursor;
    // What autovacuum does within a minute: plans made for empty tables would read grown ones whole.
    if (steps % 10 === 0 || Number.isInteger(Math.log2(steps))) await pool.query('analyze');
  }
  return { checked, differences, steps };
}

async function run({ quick }: { quick: boolean }): Promise<Table[]> {
  const customers = quick ? 500 : 10_000;
  return withStack({}, async (setting) => {
    const { stack, pool } = setting;
    const counted = countCalls(setting);
    const rows: Table['rows'] = [];
    const measure = async (name: string, input: object, expected?: number): Promise<void> => {
      await pool.query('vacuum analyze');
      counted();
      const before = setting.roundTrips();
      const start = performance.now();
      const { done, peak } = await peakDuring(stack.worker.pid ?? 0, () => walk(setting, input));
      const seconds = (performance.now() - start) / 1000;
      const { calls, mostInASecond } = counted();
      if (expected !== undefined && done.differences !== expected)
        throw new Error(`${name}: ${done.differences} differences instead of ${expected}`);
      if (mostInASecond > 100) throw new Error(`${name}: ${mostInASecond} calls in one second`);
      rows.push({
        walk: name,
        objects: done.checked,
        differences: done.differences,
        seconds,
        steps: done.steps,
        'calls to Stripe': calls,
        'most in a second': mostInASecond,
        'round trips': setting.roundTrips() - before,
        'workerd peak MB': peak / megabyte,
      });
    };
    await makeCustomers(setting, customers);
    const since = new Date((stack.handles.stripe?.nowMs() ?? 0) - 1000).toISOString();
    await measure('first, books empty', {});
    await measure('full, nothing missing', {}, 0);
    await measure('daily, nothing missing', { since }, 0);
    const missing = Math.ceil(customers / 100);
    await refundSome(setting, missing);
    await measure('daily, 1 % missing', { since }, missing);
    const notes = [
      `${customers} customers of four invoices each, a quarter with a pack, 2 % with a refund, 0.5 % with a dispute; 1 %: a refund each that nobody was told of. Steps of at most 20 s through the production bundle; the stand-in answers a page in one to three milliseconds, Stripe in some hundred.`,
    ];
    return [{ title: 'reconcile', rows, notes }];
  });
}

export const reconcile: Benchmark = {
  name: 'reconcile',
  about: 'comparing the books with all that Stripe has: seconds, calls, round trips, memory',
  run,
};
