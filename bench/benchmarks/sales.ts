import type { Effort, Table } from '../support/benchmark.ts';
import { type Checkout, type Measured, startCheckout } from '../support/checkout.ts';
import { root } from '../../local/stack/settings.ts';
import { requestBytes } from '../support/http-client.ts';
import { expectStatus, Load } from '../support/load.ts';
import type { Outcome } from '../support/load-tasks.ts';
import { medianOf, percentile } from '../support/numbers.ts';
import { Customer, newPaymentId, type StripeEvent } from '../support/purchases.ts';
import { statementsDuring } from '../support/statements.ts';
import { deliveries, pricesOf } from '../support/stripe-load.ts';

const connections = 32;

type Side = { checkout: Checkout; load: Load; customers: Customer[]; taken: number };
type Scenario = {
  name: string;
  /** Events of one customer that one connection sends in order; 1: whichever is free takes the next. */
  inARow: number;
  eventsOf: (customer: Customer) => StripeEvent[];
  /** Who buys, of a round's customers: those who have bought before, others, or one of them always. */
  buyers: 'first' | 'second' | 'one';
};

const scenarios: Scenario[] = [
  { name: 'purchase, in order', inARow: 5, eventsOf: (one) => one.buyPlan(), buyers: 'first' },
  { name: 'purchase, at once', inARow: 1, eventsOf: (one) => one.buyPlan(), buyers: 'second' },
  { name: 'renewal', inARow: 2, eventsOf: (one) => one.renew(), buyers: 'first' },
  { name: 'pack', inARow: 1, eventsOf: (one) => one.buyPack(), buyers: 'first' },
  {
    name: 'pack, Stripe asked',
    inARow: 1,
    eventsOf: (one) => one.buyPack(newPaymentId()),
    buyers: 'first',
  },
  { name: '32 writers, one user', inARow: 1, eventsOf: (one) => one.buyPack(), buyers: 'one' },
];

type Round = { scenario: Scenario; events: number; outcome: Outcome; measured: Measured };

/** Makes users by signing them up over HTTP, and gives them as Stripe's customers. */
async function signUp(checkout: Checkout, load: Load, count: number): Promise<Customer[]> {
  const url = new URL('/v1/me', checkout.api);
  const names = Array.from({ length: count }, (_, n) => `bench-${n}`);
  const tokens = await Promise.all(names.map((name) => checkout.token(name)));
  const requests = tokens.map((token) =>
    requestBytes('GET', url, { authorization: `Bearer ${token}` }),
  );
  const port = Number(url.port);
  expectStatus(await load.perform({ kind: 'http', port, connections: 8, requests }), 200);
  const { rows } = await checkout.pool.query<{ id: string }>('select id from users');
  const prices = await pricesOf(checkout.pool);
  return rows.map(
    ({ id }, n) => new Customer({ id, customer: `cus_b${n}`, subscription: `sub_b${n}` }, prices),
  );
}

async function send(
  side: Side,
  events: StripeEvent[],
  given: { inARow?: number; parallel?: number },
) {
  const { checkout, load } = side;
  const url = new URL('/webhooks/stripe', checkout.api);
  const requests = deliveries(events, url, checkout.webhookSecret);
  const { inARow = 1, parallel = connections } = given;
  const port = Number(url.port);
  const task = { kind: 'http', port, connections: parallel, requests, inARow } as const;
  const outcome = await load.perform(task);
  side.taken += outcome.statuses[200] ?? 0;
  return outcome;
}

/** Customers of each scenario before it is timed: a backend plans every statement at its first use. */
const warmUp = 64;

function eventsOf({ buyers, eventsOf: make }: Scenario, customers: Customer[]): StripeEvent[][] {
  const [half, [one]] = [customers.length / 2, customers];
  if (buyers === 'one' && one) return Array.from({ length: half }, () => make(one));
  const chosen = buyers === 'second' ? customers.slice(half) : customers.slice(0, half);
  return chosen.map((customer) => make(customer));
}

async function playRound(side: Side, size: number, withFolds: boolean): Promise<Round[]> {
  const customers = side.customers.splice(0, 2 * (warmUp + size));
  const rounds: Round[] = [];
  for (const scenario of scenarios) {
    const made = eventsOf(scenario, customers);
    const events = made.slice(warmUp).flat();
    // What autovacuum does within a minute: plans made for empty tables would read grown ones whole.
    await side.checkout.pool.query('vacuum analyze');
    await send(side, made.slice(0, warmUp).flat(), scenario);
    const end = await side.checkout.measure(withFolds);
    const outcome = await send(side, events, scenario);
    if (scenario.buyers !== 'one') expectStatus(outcome, 200);
    const measured = await end(outcome.cpuSeconds);
    rounds.push({ scenario, events: events.length, outcome, measured });
  }
  return rounds;
}

/** Statements an event of each scenario takes when nothing else happens, those inside functions too. */
async function countStatements(side: Side): Promise<Map<Scenario, number>> {
  const customers = side.customers.splice(0, 16);
  // Triggers, functions and catalogues are planned at first use.
  await send(
    side,
    customers.splice(0, 8).flatMap((one) => one.buyPlan()),
    { parallel: 1 },
  );
  const batches = scenarios.map((scenario) => eventsOf(scenario, customers).flat());
  const works = batches.map((events) => () => send(side, events, { parallel: 1 }));
  const texts = await statementsDuring(side.checkout.pool, works);
  return new Map(
    scenarios.map((scenario, i) => [scenario, (texts[i]?.length ?? 0) / (batches[i]?.length ?? 1)]),
  );
}

/** @throws Error when an event is missing or not completed, or a balance is not its ledger's sum. */
async function audit({ checkout, taken }: Side): Promise<void> {
  const { rows } = await checkout.pool.query<{ completed: number; others: number; wrong: number }>(
    `select
       (select count(*)::int from stripe_events where status = 'completed') as completed,
       (select count(*)::int from stripe_events where status <> 'completed') as others,
       (select count(*)::int from users u where credits_balance <>
         (select coalesce(sum(amount), 0) from credit_entries where user_id = u.id)) as wrong`,
  );
  const [seen] = rows;
  if (seen?.completed !== taken || seen.others > 0 || seen.wrong > 0)
    throw new Error(
      `${checkout.name}: of ${taken} events ${seen?.completed} are completed and ${seen?.others} are not; ${seen?.wrong} balances are not the sum of their ledger.`,
    );
}

function rowOf(name: string, rounds: Round[], statements: number): Table['rows'][number] {
  const of = (figure: (round: Round) => number): number => medianOf(rounds, figure);
  const micros = (seconds: number, { events }: Round): number => (seconds / events) * 1e6;
  const folds = rounds.find(({ measured }) => measured.folds !== null);
  const refused = rounds.reduce(
    (sum, { events, outcome }) => sum + events - (outcome.statuses[200] ?? 0),
    0,
  );
  return {
    checkout: name,
    'events/s': of(({ events, outcome }) => events / outcome.seconds),
    'p50 ms': of(({ outcome }) => percentile(outcome.latenciesMs, 0.5)),
    'p99 ms': of(({ outcome }) => percentile(outcome.latenciesMs, 0.99)),
    'Postgres µs': of((round) => micros(round.measured.cpu.postgres, round)),
    'workerd µs': of((round) => micros(round.measured.cpu.workerd, round)),
    'WAL bytes': of(({ measured, events }) => measured.walBytes / events),
    statements,
    'round trips': of(({ measured, events }) => measured.roundTrips / events),
    'folds %': folds ? ((folds.measured.folds ?? 0) / folds.events) * 100 : null,
    refused,
    'others cores': of(({ measured: { cpu } }) => cpu.others / cpu.seconds),
  };
}

const about = [
  'The production bundle under workerd and a database of its own for each checkout; an event is one delivery, signed and answered 200. A purchase is customer.subscription.created, .updated, invoice.paid, checkout.session.completed and invoice_payment.paid: in order, a connection sends all of a customer; at once, whichever connection is free sends the next event.',
  'Figures an event: CPU time of all Postgres and workerd processes; WAL by pg_current_wal_insert_lsn; statements by auto_explain, those inside functions and of foreign keys too, one event at a time; folds: calls of stripe_event_post_fold by pg_stat_user_functions, in the first round.',
];

/** Measures checkouts by turns: what Stripe tells when plans and packs are sold. */
async function byTurns(sides: Side[], { quick }: Effort): Promise<Table[]> {
  const size = quick ? 64 : 320;
  const times = quick ? 1 : 3;
  const found = new Map<Side, Round[]>(sides.map((side) => [side, []]));
  const statements = new Map<Side, Map<Scenario, number>>();
  for (const side of sides) {
    const count = 16 + 2 * (warmUp + size) * times;
    side.customers = await signUp(side.checkout, side.load, count);
  }
  for (let round = 0; round < times; round += 1)
    for (const [side, rounds] of found) rounds.push(...(await playRound(side, size, round === 0)));
  for (const side of sides) statements.set(side, await countStatements(side));
  for (const side of sides) await audit(side);
  return scenarios.map((scenario, i) => ({
    title: `webhooks: ${scenario.name}, ${connections} connections`,
    rows: [...found].map(([side, rounds]) =>
      rowOf(
        side.checkout.name,
        rounds.filter((round) => round.scenario === scenario),
        statements.get(side)?.get(scenario) ?? Number.NaN,
      ),
    ),
    notes:
      i === 0
        ? [
            ...about,
            `Medians of ${times} rounds by turns; ${size} customers a round, after ${warmUp} that are not timed.`,
          ]
        : [],
  }));
}

/** Of this checkout, and of another one by turns with it: each with its own stack. */
export async function sales(effort: Effort): Promise<Table[]> {
  const places = [
    { name: 'this', directory: root },
    ...(effort.against === undefined ? [] : [{ name: 'against', directory: effort.against }]),
  ];
  const sides: Side[] = [];
  try {
    for (const { name, directory } of places) {
      const checkout = await startCheckout(name, directory);
      sides.push({ checkout, load: new Load(), customers: [], taken: 0 });
    }
    return await byTurns(sides, effort);
  } finally {
    await Promise.allSettled(
      sides.flatMap(({ checkout, load }) => [checkout.close(), load.close()]),
    );
  }
}
