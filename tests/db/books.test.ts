import { expect, test } from 'vitest';
import { readStanding } from '../../functions/ledger/standing.ts';
import { eachScene } from '../support/each-scene.ts';
import type { Scene } from '../support/scene.ts';
import { fixtureUser, type StripeFixture } from '../support/stripe-fixture.ts';
import { holdAnswer } from '../support/hold-answer.ts';

// What was seen to go wrong and is not a matter of order alone; the stories are in convergence/.

let fixture: StripeFixture;
let scene: Scene;
eachScene((opened) => ({ fixture, scene } = opened));

const deliverAll = async () => {
  const received = [];
  for (const event of await fixture.events()) received.push(await fixture.deliver(event));
  return received;
};
const user = async () => (await fixture.books()).user;
const job = '33333333-3333-4333-8333-333333333333';

test('a hold two seconds before its pack by our clock is covered by it, also after a refold', async () => {
  await fixture.shop.advance(2);
  await fixture.buyPacks(1);
  await deliverAll();
  const held = await fixture.ctx.db.call(
    'ledger_hold',
    {
      p_user: fixtureUser,
      p_job: job,
      p_run: 1,
      p_credits: 700,
      p_unlimited: false,
      p_standing: (await readStanding(fixture.ctx, fixtureUser)).standingVersion,
    },
    holdAnswer,
  );
  expect(held.outcome).toBe('held');
  const took = { credits_held: 700, credits_balance: 100, credits_shortfall: 0 };
  expect(await user()).toMatchObject(took);
  const second = Math.floor(Date.now() / 1000) - 1000;
  const late = {
    atUs: second * 1e6,
    decidedAtMs: 0,
    session: 'cs_late',
    pack: 'pack',
    quantity: 1,
  };
  await fixture.tell([{ kind: 'pack', key: 'session:cs_late', ...late, credits: 0, total: 900 }]);
  expect(await user()).toMatchObject(took);
});

test('an invoice that only gives back is no error, and grants nothing', async () => {
  await scene.told('cancelledWithInvoice');
  expect((await deliverAll()).filter(({ status }) => status === 'failed')).toEqual([]);
  expect(await user()).toMatchObject({ credits_balance: 1000 });
});

test('balances go beyond 2^31', async () => {
  const second = Math.floor(Date.now() / 1000) - 10;
  for (const session of ['cs_1', 'cs_2', 'cs_3'])
    await fixture.tell([
      {
        kind: 'pack',
        key: `session:${session}`,
        atUs: second * 1e6,
        decidedAtMs: second * 1000,
        session,
        pack: 'pack',
        quantity: 1,
        credits: 2_000_000_000,
        total: 900,
      },
    ]);
  expect(await user()).toMatchObject({ credits_balance: 6_000_000_500 });
});

test('an invoice whose period was over when it was paid grants nothing, and its refund takes nothing', async () => {
  const bought = await scene.subscribe(scene.prices.starter);
  await deliverAll();
  const paidAt = scene.now;
  const told = { atUs: paidAt * 1e6, decidedAtMs: paidAt * 1000 };
  await fixture.tell([
    {
      kind: 'plan',
      key: 'invoice:in_late',
      ...told,
      invoice: 'in_late',
      subscription: bought.id,
      reason: 'cycle',
      form: 'full',
      terms: {
        plan: 'starter',
        priceId: scene.prices.starter.id,
        credits: 1000,
        trialCredits: 100,
        interval: 'month',
        grantsMonthly: false,
      },
      quantity: 1,
      periodStart: paidAt - 60 * 86_400,
      periodEnd: paidAt - 30 * 86_400,
      charge: 2000,
      total: 2000,
      mode: 'reset-all',
    },
  ]);
  expect(await user()).toMatchObject({ credits_balance: 1000 });
  await fixture.tell([
    {
      kind: 'reversal',
      key: 'refund:re_late',
      ...told,
      reversal: 're_late',
      payment: 'invoice:in_late',
      source: 'refund',
      amount: 2000,
      taken: true,
      finality: 1,
    },
  ]);
  expect(await user()).toMatchObject({ credits_balance: 1000, credits_shortfall: 0 });
});

test('two checkouts paid in two tabs: neither renewal takes what the other granted', async () => {
  const first = await scene.subscribe(scene.prices.starter);
  const second = await scene.subscribe(scene.prices.pro, { customer: first.customer });
  expect(second.id).not.toBe(first.id);
  await scene.month();
  await deliverAll();
  expect(await user()).toMatchObject({ credits_plan: 6000 });
});

test('the same events again, and again under other ids, change nothing', async () => {
  await scene.subscribe(scene.prices.starter);
  await scene.packs();
  await deliverAll();
  const before = await fixture.books();
  expect((await deliverAll()).filter(({ status }) => status === 'completed')).toEqual([]);
  for (const event of await fixture.events()) {
    const id = `${event.id}_again`;
    await fixture.deliver({ ...event, id, payload: { ...event.payload, id } });
  }
  expect(await fixture.books()).toEqual(before);
});
