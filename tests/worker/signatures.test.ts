import { createHmac } from 'node:crypto';
import { afterAll, describe, expect, test } from 'vitest';
import { assertBooksHold } from '../support/ledger-invariants.ts';
import { event, packSession } from '../support/stripe-events.ts';
import { rigSecrets, someone, startRig } from '../support/worker.ts';
import { expectProblem } from '../support/worker-problem.ts';
import { routesOf } from '../support/worker-routes.ts';

const rig = await startRig();
const routes = await routesOf(rig);
const buyer = await rig.user(someone());

afterAll(async () => {
  await assertBooksHold(rig.database.pool);
  await rig.close();
});

const pathsOf = (caller: string) =>
  routes.filter((route) => route.caller === caller).map(({ path }) => path);
const seconds = (offset = 0) => Math.floor(Date.now() / 1000) + offset;
const stored = async () =>
  Number((await rig.database.pool.query('select count(*) as n from stripe_events')).rows[0].n);
const packPaid = () =>
  event('checkout.session.completed', packSession({ userId: buyer.me.id, pack: 'small' }));
const hmac = (text: string, key: string) => createHmac('sha256', key).update(text).digest('hex');

describe('POST /webhooks/stripe', () => {
  const sale = packPaid();
  const text = JSON.stringify(sale);
  const at = seconds();
  const v1 = hmac(`${at}.${text}`, rigSecrets.STRIPE_WEBHOOK_SECRET);

  test.each<[string, Parameters<typeof rig.postWebhook>[1]]>([
    ['unsigned', { signature: null }],
    ['with an empty signature', { signature: '' }],
    ['with a signature that is none', { signature: 'nonsense' }],
    ['signed with another secret', { secret: 'whsec_of-somebody-else' }],
    ['signed with the API key', { secret: rigSecrets.STRIPE_SECRET_KEY }],
    ['signed with an empty secret', { secret: ' ' }],
    ['301 s old', { timestamp: seconds(-301) }],
    ['a year old', { timestamp: seconds(-31_536_000) }],
    ['with another body', { sent: text.replace('"small"', '"large"') }],
    ['with a blank more', { sent: `${text} ` }],
    ['with a younger time than was signed', { signature: `t=${at + 1},v1=${v1}` }],
    ['without a time', { signature: `v1=${v1}` }],
    [
      'with a time that is none',
      { signature: `t=now,v1=${hmac(`now.${text}`, rigSecrets.STRIPE_WEBHOOK_SECRET)}` },
    ],
    ['without a body', { sent: '' }],
    ['with an old scheme alone', { signature: `t=${at},v0=${v1}` }],
  ])('%s: 400, and nothing is stored', async (_, options) => {
    await expectProblem(await rig.postWebhook(text, options), 400, 'invalid_signature');
    expect(await stored()).toBe(0);
  });

  test.each(['{', 'null', '[]', '"text"', '{"id":"evt_1"}', '{"id":1,"type":2,"created":3}'])(
    'signed, but no event (%s): 400, and nothing is stored',
    async (body) => {
      await expectProblem(await rig.postWebhook(body), 400, 'invalid_payload');
      expect(await stored()).toBe(0);
    },
  );

  test('larger than Stripe sends: 413, whatever Content-Length says, and nothing is stored', async () => {
    const large = JSON.stringify({ ...sale, padding: 'x'.repeat(600_000) });
    await expectProblem(await rig.postWebhook(large), 413, 'too_large');
    const chunked = await rig.api('/webhooks/stripe', {
      method: 'POST',
      body: new Response(large).body,
    });
    await expectProblem(chunked, 413, 'too_large');
    expect(await stored()).toBe(0);
  });

  test('one of several signatures fits, as while a secret is being changed: it is taken', async () => {
    const signature = `t=${at},v1=${'0'.repeat(64)},v1=${v1}`;
    const answer = await rig.postWebhook(text, { signature });
    expect(answer.headers.get('x-request-id')).toMatch(/^[\w-]{8,}$/);
    expect(await answer.json()).toEqual({ received: true, eventId: sale.id, status: 'completed' });
    expect((await rig.me(buyer.token)).credits).toMatchObject({ balance: 1000, purchased: 500 });
  });

  test('299 s late is in time; again is a duplicate that changes nothing', async () => {
    const late = packPaid();
    const send = async () =>
      (await rig.postWebhook(late, { timestamp: seconds(-299) })).json() as Promise<object>;
    expect(await send()).toEqual({ received: true, eventId: late.id, status: 'completed' });
    expect(await send()).toEqual({ received: true, eventId: late.id, status: 'duplicate' });
    expect((await rig.me(buyer.token)).credits.purchased).toBe(1000);
  });

  test('an event that changes nothing here is stored and skipped', async () => {
    const other = event('customer.created', { id: 'cus_1', object: 'customer' });
    const answer = await rig.postWebhook(other);
    expect(await answer.json()).toEqual({ received: true, eventId: other.id, status: 'skipped' });
    const { rows } = await rig.database.pool.query(
      'select status, type, payload from stripe_events where event_id = $1',
      [other.id],
    );
    expect(rows).toEqual([{ status: 'skipped', type: 'customer.created', payload: other }]);
  });

  test('an event sent in pieces, without Content-Length, is read whole', async () => {
    const other = event('customer.created', { id: 'cus_2', object: 'customer', name: 'Zoë €' });
    const sent = JSON.stringify(other);
    const t = seconds();
    const signature = hmac(`${t}.${sent}`, rigSecrets.STRIPE_WEBHOOK_SECRET);
    const answer = await rig.api('/webhooks/stripe', {
      method: 'POST',
      body: new ReadableStream({
        start(controller) {
          for (const byte of new TextEncoder().encode(sent))
            controller.enqueue(Uint8Array.of(byte));
          controller.close();
        },
      }),
      headers: { 'stripe-signature': `t=${t},v1=${signature}` },
    });
    expect(await answer.json()).toEqual({ received: true, eventId: other.id, status: 'skipped' });
  });

  test('an event nobody can be found for is stored as failed, with a reason', async () => {
    const sale = event('checkout.session.completed', packSession({ pack: 'small' }));
    const answer = await rig.postWebhook(sale);
    expect(answer.status).toBe(200);
    expect(await answer.json()).toEqual({ received: true, eventId: sale.id, status: 'failed' });
    const { rows } = await rig.database.pool.query(
      'select status, error from stripe_events where event_id = $1',
      [sale.id],
    );
    expect(rows).toEqual([{ status: 'failed', error: expect.stringMatching(/user/i) }]);
  });
});

describe.each(pathsOf('qstash'))('POST %s', (path) => {
  const id = '00000000-0000-4000-8000-000000000000';
  const nobody = { jobId: id, notificationId: id, run: 1, chunk: 0 };
  const sourceBody = Buffer.from(JSON.stringify(nobody)).toString('base64');
  const run = path.startsWith('/queue/chunk') ? nobody.run : 'today';
  const step = {
    run,
    cursor: null,
    startedAt: 0,
    since: null,
    tries: 0,
    provider: 'search',
    name: 'leftovers',
  };
  const body = JSON.stringify({ ...nobody, ...step, status: 500, sourceBody });
  const sign = (options: Parameters<typeof rig.queueSignature>[2] = {}, of = body, to = path) =>
    rig.queueSignature(to, of, options);
  const refused = async (signature: string | null) =>
    expectProblem(await rig.postQueue(path, body, signature), 401, 'invalid_signature');

  test('unsigned, or signed with a key that is not QStash’s: 401', async () => {
    await refused(null);
    await refused('');
    await refused('nonsense');
    await refused(await sign({ key: 'sig_of-somebody-else' }));
    await refused(await sign({ key: rigSecrets.QSTASH_TOKEN }));
    await refused(await rig.token(someone(), null));
    const [, claims = ''] = (await sign()).split('.');
    await refused(`${Buffer.from('{"alg":"none"}').toString('base64url')}.${claims}.`);
  });

  test('the signature of another body, another URL, another time or another sender: 401', async () => {
    await refused(await sign({}, `${body} `));
    await refused(await sign({}, '{}'));
    await refused(await sign({}, body, `${path}/other`));
    await refused(await sign({}, body, '/webhooks/stripe'));
    await refused(await sign({ claims: { sub: `https://elsewhere.example${path}` } }));
    await refused(await sign({ claims: { exp: seconds(-60) } }));
    await refused(await sign({ claims: { nbf: seconds(120) } }));
    await refused(await sign({ claims: { iss: 'Somebody' } }));
    await refused(await sign({ claims: { body: undefined } }));
    await refused(await sign({ claims: { sub: undefined } }));
  });

  test('signed with the current key or the next: taken', async () => {
    for (const key of [rigSecrets.QSTASH_CURRENT_SIGNING_KEY, rigSecrets.QSTASH_NEXT_SIGNING_KEY]) {
      const answer = await rig.postQueue(path, body, await sign({ key }));
      expect(answer.headers.get('x-request-id')).toMatch(/^[\w-]{8,}$/);
      expect(answer.status).toBe(200);
      // A reconciliation asks Stripe, which this rig has none of: its step comes again.
      const worked = {
        '/queue/audit': { done: true },
        '/queue/reconcile': { done: false },
        '/queue/probes': { works: true },
        '/queue/sweeps': { name: 'leftovers', worked: 0, isHandedOver: false },
      };
      expect(await answer.json()).toMatchObject(
        Object.entries(worked).find(([of]) => of === path)?.[1] ?? { outcome: 'gone' },
      );
    }
  });

  test('signed, but nothing that can ever be worked: not to be sent again', async () => {
    for (const unreadable of ['', '{', 'null', '{"jobId":"none"}', '[1]']) {
      const answer = await rig.postQueue(path, unreadable);
      expect(answer.status).toBe(489);
      expect(answer.headers.get('upstash-nonretryable-error')).toBe('true');
      expect(answer.headers.get('x-request-id')).toMatch(/^[\w-]{8,}$/);
    }
  });

  test('its refusals are problems like any other', async () => {
    const answer = await rig.postQueue(path, '{}');
    expect(answer.status).toBe(489);
    expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json\b/);
    expect(await answer.json()).toMatchObject({
      status: 489,
      requestId: answer.headers.get('x-request-id'),
    });
  });

  test('larger than any message of ours: 413', async () => {
    const large = body.padEnd(1_100_000);
    await expectProblem(await rig.postQueue(path, large), 413, 'too_large');
  });
});
