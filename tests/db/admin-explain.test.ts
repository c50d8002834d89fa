import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Args } from '../../db/call.ts';
import { adjustCredits } from '../../functions/ledger/adjust-credits.ts';
import { sayEntry, type ExplainedRow } from '../../functions/ledger/explain-balance.pure.ts';
import { explainBalance } from '../../functions/ledger/explain-balance.ts';
import { listEntries } from '../../functions/ledger/list-entries.ts';
import { ensureUser } from '../../functions/users/ensure.ts';
import { readEvent, type StripeEvent } from '../../functions/webhooks/decide.pure.ts';
import { applyEvent } from '../../functions/webhooks/receive.ts';
import { audit } from '../support/audit.ts';
import { testCtx } from '../support/ctx.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { event, invoice, packSession, type Sale } from '../support/stripe-events.ts';
import { listPrices } from '../support/worker-prices.ts';

let database: TestDatabase;
let ctx: ReturnType<typeof testCtx>;

beforeAll(async () => {
  database = await createDatabase();
  ctx = testCtx(database);
  await listPrices(database.pool);
});
afterAll(async () => {
  await audit(database.pool);
  await database.drop();
});

let people = 0;
/** Somebody with 500 bonus credits. */
async function someone() {
  people += 1;
  const externalId = `person ${people}`;
  const identity = { externalId, email: `person${people}@example.com`, emailVerified: true };
  return (await ensureUser(ctx, identity)).user;
}

const send = async (sent: ReturnType<typeof event>) =>
  (await applyEvent(ctx, readEvent(sent) as StripeEvent)).status;

const post = (args: Args<'ledger_post'>) => ctx.db.call('ledger_post', args);

describe('an explanation', () => {
  const month = 30 * 86_400;
  const start = 1_790_000_000;

  test('agrees after a story, entry by entry', async () => {
    const user = await someone();
    const of: Sale = {
      userId: user.id,
      customer: 'cus_story',
      subscription: 'sub_story',
      price: 'price_plan_growth',
      periodStart: start,
    };
    const first = invoice(of, { id: 'in_1', created: start, payment_intent: 'pi_1' });
    const second = invoice(
      { ...of, periodStart: start + month },
      {
        id: 'in_2',
        created: start + month,
        billing_reason: 'subscription_cycle',
        payment_intent: 'pi_2',
      },
    );
    const pack = packSession(
      { userId: user.id, pack: 'small', quantity: 2 },
      { id: 'cs_story', payment_intent: 'pi_3', amount_total: 3000 },
    );
    const refund = { id: 're_1', status: 'succeeded', amount: 1500, payment_intent: 'pi_3' };
    const dispute = { id: 'du_1', amount: 1900, payment_intent: 'pi_2' };
    const job = randomUUID();
    const hold = { p_user: user.id, p_source_type: 'job', p_source_id: job, p_job: job };

    expect(await send(event('invoice.paid', first, { id: 'evt_1' }))).toBe('completed');
    await send(event('checkout.session.completed', pack, { id: 'evt_2' }));
    await post({
      ...hold,
      p_rule: 'HOLD',
      p_amount: 1000,
      p_kind: 'hold',
      p_business_key: `hold:${job}:1`,
    });
    expect(await explainBalance(ctx, { user: user.id, limit: 500 })).toMatchObject({
      balance: 5000,
      held: 1000,
    });
    await send(event('invoice.paid', second, { id: 'evt_3' }));
    await post({
      ...hold,
      p_rule: 'RELEASE',
      p_amount: 200,
      p_settle: 1000,
      p_kind: 'release',
      p_business_key: `release:${job}:1`,
      p_ref: `hold:${job}:1`,
      p_details: { charged: 800 },
    });
    await adjustCredits(ctx, { user: user.id, amount: 25, reason: 'a slow\nday' });
    await adjustCredits(ctx, { user: user.id, amount: -1, reason: 'typo' });
    expect(await send(event('refund.created', refund, { id: 'evt_4' }))).toBe('completed');
    await send(
      event('charge.dispute.created', { ...dispute, status: 'needs_response' }, { id: 'evt_5' }),
    );

    const told = await explainBalance(ctx, { user: user.external_id as string, limit: 500 });
    expect(told).toMatchObject({
      userId: user.id,
      balance: 0,
      sum: 0,
      agrees: true,
      held: 0,
      pendingEvents: [],
      pendingEventsComplete: true,
      nextCursor: null,
    });
    expect(told.entries.map(({ amount, says }) => [amount, says])).toEqual([
      [
        -4524,
        'Dispute du_1 over 1,900 (minor units): 4,524 credits taken back; 476 more had been spent (shortfall).',
      ],
      [-500, 'Refund re_1 over 1,500 (minor units): 500 credits taken back.'],
      [-1, 'An operator took back 1 credit: "typo".'],
      [25, 'An operator added 25 bonus credits: "a slow day".'],
      [
        0,
        `Job ${job} ended: 0 credits given back, 800 charged; 200 credits of before the newest reset lapsed.`,
      ],
      [
        0,
        'Renewal of plan growth for the period ending 2026-11-20: balance set to 5,000; 5,000 unused credits lapsed.',
      ],
      [-1000, `Job ${job} started: 1,000 credits held.`],
      [1000, 'Purchase of 2 × pack small: 1,000 credits added.'],
      [
        4500,
        'First paid invoice of plan growth for the period ending 2026-10-21: balance set to 5,000; 500 unused credits lapsed.',
      ],
      [500, 'Sign-up: 500 bonus credits added.'],
    ]);
    expect(
      told.entries.map(({ stripe }) => stripe).filter((_, i) => [0, 1, 5, 7].includes(i)),
    ).toEqual([
      { eventIds: ['evt_5'], objectIds: ['du_1', 'in_2', 'pi_2'] },
      { eventIds: ['evt_4'], objectIds: ['re_1', 'cs_story', 'pi_3'] },
      { eventIds: ['evt_3'], objectIds: ['in_2', 'sub_story', 'pi_2'] },
      { eventIds: ['evt_2'], objectIds: ['cs_story', 'pi_3'] },
    ]);
    expect(told.entries[1]).toMatchObject({
      kind: 'take_back',
      businessKey: 'refund:re_1',
      balanceAfter: 4524,
      source: { type: 'stripe_refund', id: 're_1' },
      details: { grant: 'pack:cs_story' },
    });
    expect(told.reversals).toEqual([
      {
        id: 'du_1',
        kind: 'dispute',
        amountCents: 1900,
        active: true,
        entries: ['dispute:du_1'],
        grant: {
          businessKey: `plan:sub_story:${start + 2 * month}:growth`,
          credits: 5000,
          amountCents: 1900,
          claimed: 5000,
          shortfall: 476,
        },
      },
      {
        id: 're_1',
        kind: 'refund',
        amountCents: 1500,
        active: true,
        entries: ['refund:re_1'],
        grant: {
          businessKey: 'pack:cs_story',
          credits: 1000,
          amountCents: 3000,
          claimed: 500,
          shortfall: 0,
        },
      },
    ]);
    expect(
      told.lots.map(({ kind, granted, remaining, lapsedAt }) => [
        kind,
        granted,
        remaining,
        lapsedAt !== null,
      ]),
    ).toEqual([
      ['bonus', 500, 0, false],
      ['plan', 5000, 0, true],
      ['purchased', 1000, 0, false],
      ['plan', 5000, 0, false],
      ['bonus', 25, 0, false],
    ]);

    await send(event('charge.dispute.closed', { ...dispute, status: 'won' }, { id: 'evt_6' }));
    const won = await explainBalance(ctx, { user: user.id, limit: 1 });
    expect(won).toMatchObject({ balance: 4524, sum: 4524, agrees: true });
    expect(won.entries[0]?.says).toBe(
      'Dispute du_1 over 1,900 (minor units) claims less than before: 4,524 credits given back.',
    );
    expect(won.lots.reduce((sum, lot) => sum + lot.remaining, 0)).toBe(4524);
  });

  test('says what an unlimited plan, a late invoice and kept packs did', async () => {
    const user = await someone();
    const keeping = testCtx(database, { CREDIT_RENEWAL: 'keep-purchased' });
    const of: Sale = {
      userId: user.id,
      customer: 'cus_late',
      subscription: 'sub_late',
      price: 'price_plan_starter',
      periodStart: start,
    };
    await send(
      event('checkout.session.completed', packSession({ userId: user.id, pack: 'small' })),
    );
    const renewal = invoice(
      { ...of, periodStart: start + month },
      { id: 'in_new', created: start + month, billing_reason: 'subscription_cycle' },
    );
    await applyEvent(keeping, readEvent(event('invoice.paid', renewal)) as StripeEvent);
    await send(event('invoice.paid', invoice(of, { id: 'in_late', created: start })));
    const unlimited = {
      ...of,
      subscription: 'sub_unlimited',
      price: 'price_plan_unlimited',
    };
    await send(event('invoice.paid', invoice(unlimited, { created: start })));
    const { entries, agrees, balance } = await explainBalance(ctx, { user: user.id, limit: 3 });
    expect([agrees, balance]).toEqual([true, 1500]);
    expect(entries.map(({ says }) => says)).toEqual([
      'First paid invoice of plan unlimited for the period ending 2026-10-21: unlimited, so the balance stays at 1,500.',
      'Invoice in_late of plan starter for the period ending 2026-10-21 came after a newer one: nothing changed.',
      'Renewal of plan starter for the period ending 2026-11-20: plan credits set to 1,000, balance 1,500; 500 unused credits lapsed.',
    ]);
  });

  test('has a sentence for what seldom happens', () => {
    const job = randomUUID();
    const entry = (fields: Partial<ExplainedRow>): ExplainedRow => ({
      id: 1,
      at: '2026-11-21T00:00:00Z',
      kind: 'pack',
      amount: 0,
      plan: 0,
      bonus: 0,
      purchased: 0,
      balance_after: 1234,
      business_key: 'key',
      source_type: 'stripe_invoice',
      source_id: 'in_1',
      job_id: null,
      details: {},
      refs: [],
      added: 0,
      taken: 0,
      lapsed: 0,
      ...fields,
    });
    const again = { kind: 'plan_change', business_key: 'plan_again:in_1' };
    const dispute = { source_type: 'stripe_dispute', source_id: 'du_1' };
    const told = [
      { ...again, details: { plan: 'growth' } },
      { ...again, details: { plan: 'starter' }, amount: -1, taken: 4000 },
      {
        kind: 'plan_renewal',
        business_key: 'plan:sub_1:1798761600:scale:2026-12-01',
        details: { plan: 'scale' },
        added: 25_000,
        balance_after: 25_000,
      },
      { details: { pack: 'small', quantity: 1, lapsed: 500 }, lapsed: 500 },
      { ...dispute, kind: 'take_back', details: { amountCents: 100, late: true } },
      { ...dispute, kind: 'give_back', details: { amountCents: 100 }, amount: 1, lapsed: 2 },
      { kind: 'usage', job_id: job, details: { rows: 1200 } },
      { kind: 'release', job_id: job, amount: 1, details: { charged: 9 } },
      { kind: 'gift', amount: 1_000_000 },
    ].map((fields) => sayEntry(entry(fields)));
    expect(told).toEqual([
      'Return to plan growth, granted before in this period: nothing added.',
      'Return to plan starter, granted before in this period: plan credits cut by 4,000, nothing added.',
      'Month from 2026-12-01 of plan scale, paid for the period ending 2027-01-01: balance set to 25,000.',
      'Purchase of 1 × pack small: 0 credits added; 500 credits of before the newest reset lapsed.',
      'Dispute du_1 over 100 (minor units) came after a reset that is newer than it: nothing changed.',
      'Dispute du_1 over 100 (minor units) claims less than before: 1 credit given back; 2 credits of before the newest reset lapsed.',
      `Job ${job} ended on an unlimited plan: 1,200 rows, nothing charged.`,
      `Job ${job} ended: 1 credit given back, 9 charged.`,
      'gift: +1,000,000 credits.',
    ]);
  });

  test('pages through a long ledger without a gap; the sum stays over everything', async () => {
    const user = await someone();
    for (let i = 0; i < 11; i += 1)
      await adjustCredits(ctx, { user: user.id, amount: i + 1, reason: 'r' });
    const ids: string[] = [];
    let cursor: number | undefined;
    for (let page = 0; page < 5; page += 1) {
      const told = await explainBalance(ctx, { user: user.id, limit: 5, cursor });
      expect(told).toMatchObject({ balance: 566, sum: 566, agrees: true });
      ids.push(...told.entries.map(({ id }) => id));
      if (told.nextCursor === null) break;
      cursor = Number(told.nextCursor);
    }
    const { items } = await listEntries(ctx, { userId: user.id, limit: 100 });
    expect(items).toHaveLength(12);
    expect(ids).toEqual(items.map(({ id }) => id));
  });

  test('shows when the balance is not the sum', async () => {
    const user = await someone();
    const bend = (by: number) =>
      database.pool.query(
        'update users set credits_balance = credits_balance + $2, credits_bonus = credits_bonus + $2 where id = $1',
        [user.id, by],
      );
    await bend(3);
    expect(await explainBalance(ctx, { user: user.id, limit: 1 })).toMatchObject({
      balance: 503,
      sum: 500,
      agrees: false,
    });
    await bend(-3);
  });

  test("names the user's events that are not in the balance, and nobody else's", async () => {
    const [user, other] = [await someone(), await someone()];
    await database.pool.query("update users set stripe_customer_id = 'cus_mine' where id = $1", [
      user.id,
    ]);
    const failing = async (id: string, type: string, object: Record<string, unknown>) =>
      expect(await send(event(type, object, { id, created: start }))).toBe('failed');
    const sale: Sale = { customer: 'cus_mine', subscription: 'sub_x', price: 'price_unheard_of' };
    await failing('evt_by_customer', 'invoice.paid', invoice(sale));
    await failing(
      'evt_by_email',
      'checkout.session.completed',
      packSession({ email: (user.email as string).toUpperCase(), pack: 'gone' }),
    );
    await failing('evt_by_id', 'checkout.session.completed', packSession({ userId: user.id }));
    // Bought by somebody else, on this user's card: metadata comes first.
    await failing(
      'evt_theirs',
      'invoice.paid',
      invoice({ ...sale, userId: other.external_id as string }),
    );
    await failing(
      'evt_nobodys',
      'checkout.session.completed',
      packSession({ userId: 'x', pack: 'small' }),
    );
    // A refund of what this user bought, whose own refunds only Stripe knows, which is out of reach.
    await send(
      event(
        'checkout.session.completed',
        packSession({ userId: user.id, pack: 'small' }, { payment_intent: 'pi_mine' }),
      ),
    );
    await failing('evt_by_payment', 'charge.refunded', {
      id: 'ch_unheard_of',
      payment_intent: 'pi_mine',
      amount_refunded: 100,
    });
    const told = await explainBalance(ctx, { user: user.id, limit: 1 });
    expect(told.pendingEvents.map(({ eventId, errorCode }) => [eventId, errorCode])).toEqual([
      ['evt_by_customer', 'unknown_price'],
      ['evt_by_email', 'unknown_price'],
      ['evt_by_id', 'missing_metadata'],
      ['evt_by_payment', 'refunds_unnamed'],
    ]);
    expect(told.balance).toBe(1000);
    const theirs = await explainBalance(ctx, { user: other.id, limit: 1 });
    expect(theirs.pendingEvents.map(({ eventId }) => eventId)).toEqual(['evt_theirs']);
  });

  test('of nobody is not found', async () => {
    await expect(explainBalance(ctx, { user: 'nobody', limit: 1 })).rejects.toMatchObject({
      code: 'not_found',
    });
  });
});
