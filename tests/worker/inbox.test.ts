import { afterAll, describe, expect, test } from 'vitest';
import { assertBooksHold } from '../support/ledger-invariants.ts';
import { event, packSession } from '../support/stripe-events.ts';
import { someone, startRig } from '../support/worker.ts';
import { expectProblem } from '../support/worker-problem.ts';

/** Signed bodies at the built Worker: what can be stored is stored, and never a 500. */
const rig = await startRig({ stripe: true });
const buyer = await rig.user(someone());

afterAll(async () => {
  await assertBooksHold(rig.database.pool);
  await rig.close();
});

const sale = (fields: object = {}) => ({
  ...event('checkout.session.completed', packSession({ userId: buyer.me.id, pack: 'small' })),
  ...fields,
});
const rows = async (id: string) =>
  (
    await rig.database.pool.query(
      'select status, error_code, payload::text from stripe_events where event_id = $1',
      [id],
    )
  ).rows as { status: string; error_code: string | null; payload: string }[];
async function post(body: string) {
  const answer = await rig.postWebhook(body);
  expect(answer.status).toBe(200);
  return (await answer.json()) as { eventId: string; status: string };
}
const admin = async (path: string, method = 'GET', body?: object) => {
  const answer = await rig.api(`/v1/admin/webhooks/${path}`, {
    method,
    token: rig.env['ADMIN_TOKEN'] ?? '',
    ...(body && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
  });
  return { status: answer.status, json: (await answer.json()) as Record<string, unknown> };
};
const purchased = async () => (await rig.me(buyer.token)).credits.purchased;

describe('POST /webhooks/stripe, signed', () => {
  test.each([20_000, 100_000])(
    'nested %i deep: stored, applied, shown and nothing lost',
    async (depth) => {
      const before = await purchased();
      const deep = '['.repeat(depth) + ']'.repeat(depth);
      const sent = sale({ deep: 'HERE' });
      const body = JSON.stringify(sent).replace('"HERE"', deep);
      expect(await post(body)).toMatchObject({ eventId: sent.id, status: 'completed' });
      expect(await purchased()).toBe(before + 500);
      const [row] = await rows(sent.id);
      expect(JSON.parse(row?.payload ?? '')).toBe(body);
      expect(await admin(sent.id)).toMatchObject({ status: 200, json: { payload: body } });
      expect(await post(body)).toMatchObject({ status: 'duplicate' });
    },
  );

  test('with a byte order mark, NUL, half surrogates, large numbers and duplicate keys', async () => {
    const sent = sale({ note: 'a\0b', 'k\ud800': 1 });
    const body = `\uFEFF${JSON.stringify(sent).slice(0, -1)},"big":12345678901234567890,"big":12345678901234567891}`;
    expect(await post(body)).toMatchObject({ eventId: sent.id, status: 'completed' });
    const [row] = await rows(sent.id);
    expect(row?.payload).toContain('"big":12345678901234567890,"big":12345678901234567891}');
    expect(JSON.parse(row?.payload ?? '')).toMatchObject({ note: 'a\uFFFDb', 'k\uFFFD': 1 });
  });

  test('an id of 10 kB, a thin event, a type that every object has, no time, an object that is none', async () => {
    const id = `evt_${'x'.repeat(10_000)}`;
    const told = await post(JSON.stringify(sale({ id })));
    expect(told.status).toBe('completed');
    expect((await admin(encodeURIComponent(told.eventId))).json).toMatchObject({ payload: { id } });
    const thin = {
      object: 'v2.core.event',
      type: 'v2.core.account.updated',
      created: '2026-11-21T12:00:00Z',
    };
    expect((await post(JSON.stringify({ id: 'evt_thin', ...thin }))).status).toBe('skipped');
    for (const type of ['__proto__', 'constructor', 'toString'])
      expect((await post(JSON.stringify(sale({ id: `evt_${type}`, type })))).status).toBe(
        'skipped',
      );
    for (const created of [undefined, 'soon', 1e17, -5])
      expect((await post(JSON.stringify(sale({ id: `evt_${created}`, created })))).status).toBe(
        'failed',
      );
    for (const object of [null, [], 7, 'x'])
      expect(
        (await post(JSON.stringify(event('invoice.paid', object as unknown as object)))).status,
      ).toBe('failed');
  });

  test('exactly 512 kB is taken, a byte more is not', async () => {
    const sent = sale({ padding: '' });
    const room = 524_288 - JSON.stringify(sent).length;
    const body = JSON.stringify({ ...sent, padding: 'x'.repeat(room) });
    expect((await post(body)).status).toBe('completed');
    await expectProblem(
      await rig.postWebhook(body.replace('"padding":"', '"padding":"x')),
      413,
      'too_large',
    );
  });
});

describe('an operator', () => {
  test('sees for what an event waits, tries it, and closes it', async () => {
    const lost = event(
      'checkout.session.completed',
      packSession({ userId: 'nobody', pack: 'small' }, { id: 'cs_lost' }),
    );
    expect((await post(JSON.stringify(lost))).status).toBe('failed');
    expect(await admin(lost.id)).toMatchObject({
      json: {
        status: 'failed',
        waitingFor: expect.arrayContaining(['nobody', 'cs_lost']) as string[],
      },
    });
    expect((await admin(`${lost.id}/retry`, 'POST')).json).toMatchObject({
      status: 'failed',
      attempts: 2,
    });
    expect(await admin(`${lost.id}/dismiss`, 'POST', { reason: 'a test' })).toMatchObject({
      status: 200,
      json: { status: 'dismissed', dismissedReason: 'a test', nextAttemptAt: null },
    });
    expect((await post(JSON.stringify(lost))).status).toBe('duplicate');
    const done = sale();
    await post(JSON.stringify(done));
    expect(await admin(`${done.id}/dismiss`, 'POST', { reason: 'a test' })).toMatchObject({
      status: 409,
      json: { code: 'event_settled' },
    });
  });
});
