import { QstashRatelimitError } from '@upstash/qstash';
import { expect } from 'vitest';
import { test, times } from './rig.ts';

type Action = { actionId: string; state: string; total: number; processed: number };

test('a bulk cancel that takes too long answers 429 and goes on', async ({ rig }) => {
  const { qstash, client, there, api, setScale } = rig;
  const later = { url: there.url, delay: '1d' as const, label: 'slow' };
  await client.batch(times(20, later));
  await client.publish({ ...later, label: 'other' });
  // The first is cancelled before the patience of 100 ms ends, the last after twenty such.
  Object.assign(qstash.plan, { bulkCancelMs: 189_000, bulkCancelPatienceMs: 10_000 });
  // From the answer on it stands still until it has been looked at.
  qstash.observe((_, { status }) => status === 429 && setScale(0.001));
  const cancel = () => client.messages.cancel({ filter: { label: 'slow' } });
  const from = Date.now();
  await expect(cancel()).rejects.toThrow(QstashRatelimitError);
  expect(Date.now() - from).toBeGreaterThanOrEqual(95);
  const list = async (query = '') =>
    (await (await api(`/v2/bulkActions${query}`)).json()) as { bulkActions: Action[] };
  const [running] = (await list('?state=IN_PROGRESS')).bulkActions;
  expect(running).toMatchObject({ kind: 'cancel', total: 20, filter: { label: ['slow'] } });
  expect(running?.processed).toBeGreaterThan(0);
  expect(running?.processed).toBeLessThan(20);
  // The same filter joins the action in progress; a longer patience hears its end.
  qstash.plan.bulkCancelPatienceMs = 86_400_000;
  setScale(1_000);
  expect(await cancel()).toEqual({ cancelled: 20 });
  const ended = await api(`/v2/bulkActions/${running?.actionId}`);
  expect(await ended.json()).toMatchObject({
    state: 'FINISHED',
    processed: 20,
    completedAt: expect.any(Number),
  });
  expect((await list()).bulkActions).toHaveLength(1);
  expect(qstash.state().messages).toMatchObject({ cancelled: 20, pending: 1 });
  expect((await api('/v2/bulkActions/ba_none')).status).toBe(404);
  expect((await api('/v2/bulkActions?state=DONE')).status).toBe(400);
});

test('cancels later with async, and refuses more actions than may run at once', async ({ rig }) => {
  const { qstash, client, there, api, setScale } = rig;
  await client.batch(times(3, { url: there.url, delay: '1d', label: ['a', 'b', 'c'] }));
  Object.assign(qstash.plan, { bulkCancelMs: 3_600_000, bulkActions: 2 });
  const cancel = (query: string) => api(`/v2/messages?${query}`, { method: 'DELETE' });
  for (const label of ['a', 'b']) {
    const answer = await cancel(`label=${label}&async=true`);
    expect(answer.status).toBe(202);
    const actionId = expect.stringMatching(/^ba_/);
    expect(await answer.json()).toEqual({ cancelled: 3, actionId });
  }
  expect(qstash.state().messages).toMatchObject({ cancelled: 0, pending: 3 });
  expect((await cancel('label=c')).status).toBe(412);
  expect((await cancel('label=c&async=maybe')).status).toBe(400);
  setScale(10_000);
  await qstash.drain(30_000);
  expect(qstash.state().messages).toMatchObject({ cancelled: 3 });
  const running = async () => (await api('/v2/bulkActions?state=IN_PROGRESS')).json();
  await expect.poll(running, { timeout: 30_000 }).toEqual({ bulkActions: [] });
  qstash.plan.bulkCancelMs = 0;
  expect(await client.messages.cancel({ filter: { label: 'c' } })).toEqual({ cancelled: 0 });
  const pages: string[] = [];
  for (let cursor = '0'; cursor;) {
    const page = (await (await api(`/v2/bulkActions?count=1&cursor=${cursor}`)).json()) as {
      bulkActions: Action[];
      cursor?: string;
    };
    pages.push(...page.bulkActions.map(({ actionId }) => actionId));
    cursor = page.cursor ?? '';
  }
  expect(new Set(pages).size).toBe(3);
});

test('counts a message cancelled in flight once, and tries it no more', async ({ rig }) => {
  const { qstash, client, there, holding } = rig;
  const answer = holding();
  const send = (retries: number) =>
    client.publish({ url: `${there.url}/${retries}`, retries, retryDelay: '1000', label: 'x' });
  const [{ messageId }, last] = [await send(3), await send(0)];
  await Promise.all([there.until('/3', 1), there.until('/0', 1)]);
  expect(await client.messages.cancel(messageId)).toEqual({ cancelled: 1 });
  // The other one matches; the first is being cancelled already.
  expect(await client.messages.cancel({ filter: { label: 'x' } })).toEqual({ cancelled: 1 });
  expect(await client.messages.cancel([messageId, last.messageId])).toEqual({ cancelled: 0 });
  await expect(client.messages.cancel(messageId)).rejects.toThrow('not found');
  answer(500);
  await qstash.drain(30_000);
  expect(there.hits).toHaveLength(2);
  // Too late for the one that had no retries left.
  expect(qstash.state()).toMatchObject({ dlq: 1, messages: { cancelled: 1, failed: 1 } });
  const states = async (id: string) =>
    (await client.logs({ messageIds: [id] })).logs.map((log) => log.state).toReversed();
  expect(await states(messageId)).toEqual(
    'CREATED ACTIVE CANCEL_REQUESTED ERROR CANCELLED'.split(' '),
  );
  expect(await states(last.messageId)).toEqual(
    'CREATED ACTIVE CANCEL_REQUESTED ERROR FAILED'.split(' '),
  );
});
