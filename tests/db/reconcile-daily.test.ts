import { describe, expect, test } from 'vitest';
import { reconcile, walk as walkOnce } from '../../functions/stripe/reconcile.ts';
import { beginReconcile, reconcileStep } from '../../functions/stripe/reconcile-daily.ts';
import type { ReconcileMessage } from '../../functions/stripe/reconcile-daily.ts';
import { eachScene, reconciling } from '../support/each-scene.ts';
import type { Scene } from '../support/scene.ts';
import type { StripeFixture } from '../support/stripe-fixture.ts';

let fixture: StripeFixture;
let scene: Scene;
eachScene((opened) => ({ fixture, scene } = opened));

const { query, credits, says, story, deliverAll } = reconciling(() => scene);

/** Messages that a queue would deliver, in their order. */
function queueOf(): { ctx: StripeFixture['ctx']; sent: ReconcileMessage[] } {
  const sent: ReconcileMessage[] = [];
  const ids = new Set<string>();
  const publishJSON = (message: { body: ReconcileMessage; deduplicationId: string }) => {
    // As QStash does: what it knows already it takes, and delivers nothing.
    if (!ids.has(message.deduplicationId)) sent.push(message.body);
    ids.add(message.deduplicationId);
    return Promise.resolve({ messageId: 'msg' });
  };
  return { sent, ctx: { ...fixture.ctx, qstash: { publishJSON } as never } };
}

describe('the daily run', () => {
  /** All steps of a run; each one is delivered `times`. */
  async function run(times = 1): Promise<number> {
    const { ctx, sent } = queueOf();
    fixture.nowMs = (scene.now + 3600) * 1000;
    await beginReconcile(ctx);
    let steps = 0;
    for (let message = sent.shift(); message; message = sent.shift()) {
      for (let time = 0; time < times; time += 1) await reconcileStep(ctx, message);
      steps += times;
    }
    return steps;
  }
  const cleanAt = async () =>
    (await query<{ at: Date }>("select at from watermarks where name = 'reconcile'"))[0]?.at;

  test('reads everything at first, then what is new or may have changed', async () => {
    await story();
    await run();
    expect(await credits()).toEqual({ plan: 5000, bonus: 0, bought: 600 });
    expect(await cleanAt()).toBeInstanceOf(Date);
    await scene.days(100);
    await run();
    const { plan } = (await credits()) ?? {};
    expect(plan).toBe(5000);
    // Of a list by its creation only what is young enough to change is read.
    const since = scene.now;
    const { byType } = await reconcile(fixture.ctx, { dryRun: true, since });
    expect(byType['checkout_session']).toBeUndefined();
    expect(byType['subscription']).toBe(1);
  });

  test('a step delivered twice finds nothing left', async () => {
    await story();
    await run(2);
    expect(await credits()).toEqual({ plan: 5000, bonus: 0, bought: 600 });
    expect(await says()).toEqual([]);
  });

  test('a run that dies is begun again where the last clean one was', async () => {
    await run();
    const before = await cleanAt();
    await story();
    fixture.nowMs = (scene.now + 3600) * 1000;
    const { ctx, sent } = queueOf();
    await beginReconcile(ctx);
    const [first] = sent;
    fixture.shop.standIn.faults.add({ kind: 'status', status: 500, match: '/v1/invoices' });
    if (first) await reconcileStep(ctx, first);
    const [, again] = sent;
    expect(again).toMatchObject({ tries: 1, startedAt: first?.startedAt });
    expect(again?.cursor).not.toBeNull();
    expect(await cleanAt()).toEqual(before);
    fixture.shop.standIn.faults.clear();
    // The message is lost; the next day's run finds the rest.
    await run();
    expect(await credits()).toEqual({ plan: 5000, bonus: 0, bought: 600 });
  }, 60_000);

  test('a step that gets no answer at all comes again later, ten times', async () => {
    const { ctx, sent } = queueOf();
    await beginReconcile(ctx);
    const [first] = sent;
    fixture.shop.standIn.faults.add({ kind: 'status', status: 500 });
    if (first) await reconcileStep(ctx, first);
    expect(sent).toMatchObject([{ tries: 0 }, { tries: 1, cursor: null }]);
    const last = { ...first, step: 10, tries: 10 } as ReconcileMessage;
    await expect(reconcileStep(ctx, last)).rejects.toMatchObject({
      code: 'payment_provider_unavailable',
    });
    fixture.shop.standIn.faults.clear();
  }, 60_000);

  test('what happened just now is left to its webhook', async () => {
    await story();
    await scene.days(1);
    fixture.nowMs = scene.now * 1000;
    const { ctx, sent } = queueOf();
    await beginReconcile(ctx);
    const [first] = sent;
    await scene.packs();
    if (first) await reconcileStep(ctx, first);
    expect(sent).toHaveLength(1);
    expect(await credits()).toEqual({ plan: 5000, bonus: 0, bought: 600 });
    await deliverAll();
    expect(await credits()).toEqual({ plan: 5000, bonus: 0, bought: 900 });
    await run();
    expect(await says()).toEqual([]);
  });

  test('two walks at once post everything once', async () => {
    await story();
    await Promise.all([says(), says(), run()]);
    await fixture.settle();
    expect(await credits()).toEqual({ plan: 5000, bonus: 0, bought: 600 });
    expect(await says()).toEqual([]);
  });

  test('what Stripe did not tell keeps the next run from beginning later', async () => {
    await scene.told('twelveLines');
    const lines = { kind: 'status', status: 500, match: '/lines' } as const;
    fixture.shop.standIn.faults.add(lines);
    await run();
    expect(await cleanAt()).toBeUndefined();
    fixture.shop.standIn.faults.clear();
    await run();
    expect(await cleanAt()).toBeInstanceOf(Date);
    expect(await says()).toEqual([]);
  }, 60_000);

  test('what fails for ever stops nothing, and is one notice', async () => {
    const terms = { currency: 'usd', product: fixture.shop.product.id, unit_amount: 500 };
    const metadata = { rowloom_kind: 'pack', rowloom_key: 'odd', rowloom_credits: 'many' };
    const { id } = await fixture.stripe.prices.create({ ...terms, metadata });
    await run();
    const first = await cleanAt();
    await story();
    await scene.days(1);
    await run();
    expect((await cleanAt())?.getTime()).toBeGreaterThan(first?.getTime() ?? Infinity);
    expect(await credits()).toEqual({ plan: 5000, bonus: 0, bought: 600 });
    expect(await query(`select closed_at from notices where subject_id = '${id}'`)).toEqual([
      { closed_at: null },
    ]);
    await query("update notices set closed_at = now(), closed_reason = 'known'");
    await scene.days(1);
    await run();
    expect(await query('select 1 from notices where closed_at is null')).toEqual([]);
  });

  test('goes on where one page takes several steps', async () => {
    for (let nth = 0; nth < 9; nth += 1) await scene.packs();
    const { ctx, sent } = queueOf();
    const started = (scene.now + 3600) * 1000;
    let calls = 0;
    // A step has time for two or three of a page's objects.
    const now = () => new Date(started + (calls += 1) * 2800);
    await beginReconcile({ ...ctx, now });
    for (let message = sent.shift(); message; message = sent.shift())
      await reconcileStep({ ...ctx, now }, message);
    expect(await credits()).toMatchObject({ bought: 2700 });
    expect(await cleanAt()).toBeInstanceOf(Date);
  });

  test('stops between two pages when its time is over, and goes on there', async () => {
    await story();
    let calls = 0;
    const started = Date.now();
    const now = () => new Date(started + (calls += 1) * 4000);
    const ctx = { ...fixture.ctx, now };
    let cursor: string | undefined;
    let steps = 0;
    do {
      const page = await walkOnce(ctx, { dryRun: false, cursor });
      cursor = page.nextCursor ?? undefined;
      steps += 1;
    } while (cursor !== undefined && steps < 500);
    expect(steps).toBeGreaterThan(2);
    expect(await credits()).toEqual({ plan: 5000, bonus: 0, bought: 600 });
  });

  test.each([
    ['429', { kind: 'status', status: 429, headers: { 'retry-after': '1' }, times: 1 }],
    ['500', { kind: 'status', status: 500, times: 2 }],
    ['a lost connection', { kind: 'drop', times: 1 }],
  ] as const)('waits for %s within the step', async (_, fault) => {
    await story();
    fixture.shop.standIn.faults.add({ ...fault, match: '/v1/invoices' });
    await says();
    expect(await credits()).toEqual({ plan: 5000, bonus: 0, bought: 600 });
    expect(await says()).toEqual([]);
  });
});
