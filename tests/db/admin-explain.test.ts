import { describe, expect, test } from 'vitest';
import { adjustCredits } from '../../functions/ledger/adjust-credits.ts';
import { explainBalance } from '../../functions/ledger/explain-balance.ts';
import { listEntries } from '../../functions/ledger/list-entries.ts';
import { holdCredits, openBooks, send } from '../support/books.ts';
import { testCtx } from '../support/ctx.ts';
import { invoice, packSession, type Sale } from '../support/stripe-events.ts';

const { database, ctx, someone } = await openBooks();

const month = 30 * 86_400;
/** A week ago: what a test does now comes after it. */
const start = Math.floor(Date.now() / 1000) - 7 * 86_400;
const day = (seconds: number) => new Date(seconds * 1000).toISOString().slice(0, 10);

const paid = (sale: Sale, at: number, fields: Record<string, unknown> = {}) =>
  invoice(sale, { created: at, status_transitions: { paid_at: at }, ...fields });

describe('an explanation', () => {
  test('tells a story step by step, as it counts now', async () => {
    const user = await someone();
    const of: Sale = {
      userId: user.id,
      customer: 'cus_story',
      subscription: 'sub_story',
      price: 'price_plan_growth',
      periodStart: start,
    };
    const at = (created: number) => ({ created });
    await send(ctx, 'invoice.paid', paid(of, start, { id: 'in_1' }), at(start));
    const pack = packSession(
      { userId: user.id, pack: 'small', quantity: 2 },
      { id: 'cs_story', amount_total: 3000 },
    );
    await send(ctx, 'checkout.session.completed', pack, at(start + 10));
    const { job, release } = await holdCredits(ctx, user.id, 1000);
    const before = await explainBalance(ctx, { user: user.id, limit: 500 });
    expect(before).toMatchObject({ balance: 5000, held: 1000, agrees: true });

    const renewed = Math.floor(Date.now() / 1000) + 1;
    const renewal = { ...of, periodStart: renewed, periodEnd: renewed + month };
    const cycle = { id: 'in_2', billing_reason: 'subscription_cycle' };
    await send(ctx, 'invoice.paid', paid(renewal, renewed, cycle), at(renewed));
    await release(200);
    await adjustCredits(ctx, { user: user.id, amount: 25, reason: 'a slow\nday' });
    await adjustCredits(ctx, { user: user.id, amount: -1, reason: 'typo' });
    // It took place before the renewal, where half of the pack was there to be taken.
    const refund = { id: 're_1', status: 'succeeded', amount: 1500, created: start + 20 };
    await database.pool.query(
      "insert into payment_refs values ('pi_pack', 'session:cs_story'), ('pi_plan', 'invoice:in_2')",
    );
    await send(ctx, 'refund.created', { ...refund, payment_intent: 'pi_pack' }, at(renewed));
    const dispute = { id: 'du_1', amount: 1900, payment_intent: 'pi_plan', created: renewed + 60 };
    await send(
      ctx,
      'charge.dispute.created',
      { ...dispute, status: 'needs_response' },
      at(renewed + 60),
    );

    const told = await explainBalance(ctx, { user: user.external_id as string, limit: 500 });
    expect(told).toMatchObject({
      userId: user.id,
      balance: 24,
      sum: 24,
      agrees: true,
      held: 0,
      credits: { plan: 0, bonus: 24, purchased: 0 },
      unlimited: false,
      plan: null,
      shortfall: 0,
      suspended: null,
      pendingEvents: [],
      pendingEventsComplete: true,
      nextCursor: null,
    });
    expect(told.timeline.map(({ balance, says }) => [balance, says])).toEqual([
      [24, 'Dispute du_1 over 1,900 (minor units) of invoice:in_2: 5,000 credits taken back.'],
      [5024, 'An operator took back 1 credit: "typo".'],
      [5025, 'An operator added 25 bonus credits: "a slow day".'],
      [
        5000,
        `Job ${job} ended: 0 credits given back, 800 charged; 200 credits more went to what had expired, been cut or was owed.`,
      ],
      [
        5000,
        `Renewal of plan growth for the period ending ${day(renewed + month)}: plan credits set to 5,000; 4,500 unused credits expired.`,
      ],
      [4500, `Job ${job} started: 1,000 credits held.`],
      [5500, 'Refund re_1 over 1,500 (minor units) of session:cs_story: 500 credits taken back.'],
      [6000, 'Purchase of 2 × pack small: 1,000 credits added.'],
      [
        5000,
        `First paid invoice of plan growth for the period ending ${day(start + month)}: plan credits set to 5,000; 500 unused credits expired.`,
      ],
      [500, 'Sign-up: 500 bonus credits added.'],
    ]);
    for (const { moves } of told.timeline)
      expect(moves.every(({ credits }) => credits !== 0)).toBe(true);
    const moved = told.timeline.flatMap(({ moves }) => moves);
    for (const { key, remaining } of told.lots)
      expect(
        moved.reduce((sum, { lot, credits }) => sum + (lot === key ? credits : 0), 0),
        key,
      ).toBe(remaining);
    expect(
      told.timeline.map(({ objectIds }) => objectIds).filter(({ length }) => length > 0),
    ).toEqual([
      ['du_1', 'in_2'],
      ['in_2', 'sub_story'],
      ['re_1', 'cs_story'],
      ['cs_story'],
      ['in_1', 'sub_story'],
    ]);
    expect(told.payments).toEqual([
      expect.objectContaining({ key: 'invoice:in_1', taken: 0, bought: 5000, claimed: 0 }),
      {
        key: 'session:cs_story',
        total: 3000,
        taken: 1500,
        bought: 1000,
        claimed: 500,
        shortfall: 0,
        reversals: [{ id: 're_1', source: 'refund', amount: 1500, taken: true }],
      },
      expect.objectContaining({
        key: 'invoice:in_2',
        taken: 1900,
        bought: 5000,
        claimed: 5000,
        reversals: [{ id: 'du_1', source: 'dispute', amount: 1900, taken: true }],
      }),
    ]);
    expect(
      told.lots.map(({ kind, granted, remaining, isExpired }) => [
        kind,
        granted,
        remaining,
        isExpired,
      ]),
    ).toEqual([
      ['bonus', 500, 0, true],
      ['plan', 5000, 0, true],
      ['purchased', 1000, 0, true],
      ['plan', 5000, 0, false],
      ['bonus', 25, 24, false],
    ]);

    // What was posted stays, and says what it did when it was learned.
    const posted = told.entries.map(({ kind, amount }) => [kind, amount]);
    expect(posted.slice(0, 2)).toEqual([
      ['clawback', -5000],
      ['clawback', 0],
    ]);
    expect(told.entries.reduce((sum, { amount }) => sum + amount, 0)).toBe(24);
    expect(told.entries[0]?.says).toBe(told.timeline[0]?.says);
    expect(told.entries[1]?.says).toBe(
      'Refund re_1 over 1,500 (minor units) of session:cs_story: 500 credits taken back. As it was learned, the books moved by +0 credits.',
    );

    await send(ctx, 'charge.dispute.closed', { ...dispute, status: 'won' }, at(renewed + 90));
    const won = await explainBalance(ctx, { user: user.id, limit: 1 });
    expect(won).toMatchObject({ balance: 5024, sum: 5024, agrees: true, plan: 'growth' });
    expect(won.timeline[0]?.says).toBe(
      'Dispute du_1 over 1,900 (minor units) was won or withdrawn: it is as if it never was.',
    );
    expect(won.entries[0]).toMatchObject({ kind: 'reinstatement', amount: 5000 });
  });

  test('says what an unlimited plan, a late invoice and kept packs did', async () => {
    const user = await someone();
    const keeping = testCtx(database, { CREDIT_RENEWAL: 'keep-purchased' });
    const of: Sale = {
      userId: user.id,
      subscription: 'sub_late',
      price: 'price_plan_starter',
      periodStart: start - month,
    };
    const pack = packSession({ userId: user.id, pack: 'small' });
    await send(ctx, 'checkout.session.completed', pack, { created: start - 60 });
    const renewal = paid({ ...of, periodStart: start }, start, {
      billing_reason: 'subscription_cycle',
    });
    await send(keeping, 'invoice.paid', renewal, { created: start });
    const late = paid(of, start + 5, { id: 'in_late' });
    await send(ctx, 'invoice.paid', late, { created: start + 5 });
    const unlimited = { ...of, subscription: 'sub_u', price: 'price_plan_unlimited' };
    await send(ctx, 'invoice.paid', paid({ ...unlimited, periodStart: start }, start + 10), {
      created: start + 10,
    });
    const told = await explainBalance(ctx, { user: user.id, limit: 3 });
    expect(told).toMatchObject({ agrees: true, balance: 1500, unlimited: true, plan: 'unlimited' });
    expect(told.timeline.map(({ says }) => says)).toEqual([
      `First paid invoice of plan unlimited for the period ending ${day(start + month)}: unlimited.`,
      `Invoice in_late of plan starter for the period ending ${day(start)} was paid after that: no credits.`,
      `Renewal of plan starter for the period ending ${day(start + month)}: plan credits set to 1,000; 500 unused credits expired.`,
    ]);
  });

  test('pages through both lists without a gap; the sum stays over everything', async () => {
    const user = await someone();
    for (let i = 0; i < 11; i += 1)
      await adjustCredits(ctx, { user: user.id, amount: i + 1, reason: 'r' });
    await (await holdCredits(ctx, user.id, 5)).release(0);
    const [ids, keys]: string[][] = [[], []];
    let cursor: string | undefined;
    for (let page = 0; page < 5; page += 1) {
      const told = await explainBalance(ctx, { user: user.id, limit: 5, cursor });
      expect(told).toMatchObject({ balance: 561, sum: 561, agrees: true });
      ids?.push(...told.entries.map(({ id }) => id));
      keys?.push(...told.timeline.map(({ key }) => key));
      if (told.nextCursor === null) break;
      cursor = told.nextCursor;
    }
    const { items } = await listEntries(ctx, { userId: user.id, limit: 100 });
    expect(items).toHaveLength(13);
    expect(ids).toEqual(items.map(({ id }) => id));
    // A run's end that charges all it held has a step, but no entry.
    expect(keys).toHaveLength(14);
    expect(new Set(keys).size).toBe(14);
    for (const wrong of ['x', '1~', '1~eA', `${cursor}!`])
      await expect(
        explainBalance(ctx, { user: user.id, limit: 5, cursor: wrong }),
      ).rejects.toMatchObject({ code: 'invalid_request' });
  });

  test('shows when the balance is not what the facts come to', async () => {
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
    const setLot = (remaining: number) =>
      database.pool.query('update credit_lots set remaining = $2 where user_id = $1', [
        user.id,
        remaining,
      ]);
    await setLot(499);
    const told = await explainBalance(ctx, { user: user.id, limit: 1 });
    expect(told).toMatchObject({ balance: 500, sum: 500, agrees: false });
    await setLot(500);
  });

  test("names the user's events that are not in the balance, and nobody else's", async () => {
    const [user, other] = [await someone(), await someone()];
    await database.pool.query("update users set stripe_customer_id = 'cus_mine' where id = $1", [
      user.id,
    ]);
    const failing = async (id: string, type: string, object: Record<string, unknown>) =>
      expect(await send(ctx, type, object, { id, created: start })).toBe('failed');
    const sale: Sale = { customer: 'cus_mine', subscription: 'sub_x', price: 'price_unheard_of' };
    await failing('evt_by_customer', 'customer.subscription.created', {
      id: 'sub_x',
      object: 'subscription',
      status: 'active',
      customer: 'cus_mine',
      items: { data: [{ id: 'si_x', price: { id: 'price_unheard_of' }, quantity: 1 }] },
    });
    await failing(
      'evt_by_email',
      'checkout.session.completed',
      packSession({ email: (user.email as string).toUpperCase(), pack: 'gone' }),
    );
    await failing(
      'evt_by_id',
      'checkout.session.completed',
      packSession({ userId: user.id }, { line_items: { data: [] } }),
    );
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
    // A dispute of what this user bought, in a state that nobody has heard of.
    const pack = packSession({ userId: user.id, pack: 'small' }, { id: 'cs_mine' });
    expect(await send(ctx, 'checkout.session.completed', pack)).toBe('completed');
    await database.pool.query("insert into payment_refs values ('pi_mine', 'session:cs_mine')");
    await failing('evt_by_payment', 'charge.dispute.created', {
      id: 'du_unheard_of',
      status: 'unheard_of',
      payment_intent: 'pi_mine',
      amount: 100,
    });
    const told = await explainBalance(ctx, { user: user.id, limit: 1 });
    expect(told.pendingEvents.map(({ eventId, errorCode }) => [eventId, errorCode])).toEqual([
      ['evt_by_customer', 'unknown_price'],
      ['evt_by_email', 'unknown_price'],
      ['evt_by_id', 'missing_metadata'],
      ['evt_by_payment', 'unreadable'],
    ]);
    expect([told.balance, told.pendingEventsComplete]).toEqual([1000, true]);
    const theirs = await explainBalance(ctx, { user: other.id, limit: 1 });
    expect(theirs.pendingEvents.map(({ eventId }) => eventId)).toEqual(['evt_theirs']);
  });

  test('of nobody is not found', async () => {
    await expect(explainBalance(ctx, { user: 'nobody', limit: 1 })).rejects.toMatchObject({
      code: 'not_found',
    });
  });
});
