import { QstashError } from '@upstash/qstash';
import { expect } from 'vitest';
import { first, retriedOf, test } from './rig.ts';

test('lets delivery faults strike', async ({ rig }) => {
  const { qstash, client, there, setScale } = rig;
  const send = (path: string, more: object = {}) =>
    client.publish({ url: there.url + path, ...more });
  const fault = (match: string, rest: object) =>
    qstash.faults.add({ on: 'delivery', match, times: 1, kind: 'drop', ...rest });
  fault('/drop', {});
  fault('/lost', { when: 'after' });
  fault('/status', { kind: 'status', status: 429, headers: { 'retry-after': '20' } });
  fault('/twice', { kind: 'duplicate' });
  fault('/late', { kind: 'latency', ms: 120 });
  fault('/first', { kind: 'reorder' });
  const from = Date.now();
  for (const path of ['/drop', '/lost', '/status', '/twice', '/late']) await send(path);
  await qstash.drain(30_000);
  const retried = (path: string) => retriedOf(there.on(path));
  expect([retried('/drop'), retried('/lost'), retried('/status')]).toEqual([
    ['1'],
    ['0', '1'],
    ['1'],
  ]);
  expect(retried('/twice')).toEqual(['0', '0']);
  expect(first(there.on('/late')).at - from).toBeGreaterThanOrEqual(120);
  for (const [match, ms] of Object.entries({ '/before': 60, '/second': 150 }))
    fault(match, { kind: 'latency', ms });
  await client.batch(['/before', '/first', '/second'].map((path) => ({ url: there.url + path })));
  // A message put back goes without a next one only after a hundred seconds of this clock.
  setScale(1);
  await qstash.drain(30_000);
  expect(there.hits.slice(-3).map((hit) => hit.path)).toEqual(['/before', '/second', '/first']);
  qstash.faults.add({ kind: 'status', status: 503, match: 'POST /v2/publish' });
  await expect(send('/never')).rejects.toThrow(QstashError);
});

test('times out, and closes at once', async ({ rig }) => {
  const { qstash, client, there, api } = rig;
  there.answer = () => undefined;
  const slow = await client.publish({ url: `${there.url}/slow`, timeout: '1s', retries: 0 });
  await qstash.drain(30_000);
  const { messages } = await client.dlq.listMessages();
  expect(messages).toMatchObject([{ messageId: slow.messageId }]);
  expect(messages[0]).not.toHaveProperty('responseStatus');
  const state = await (await api('/_local/state')).json();
  expect(state).toMatchObject({ attempts: 1, dlq: 1, inFlight: 0, timeScale: 100 });
  await client.publish({ url: `${there.url}/hangs` });
  await there.until('/hangs', 1);
  await expect(qstash.drain(20)).rejects.toThrow('not idle after 20 ms');
  const drained = expect(qstash.drain(30_000)).rejects.toThrow('closed while draining');
  await Promise.all([qstash.close(), drained]);
});
