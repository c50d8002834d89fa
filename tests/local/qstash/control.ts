import { expect, onTestFinished, vi } from 'vitest';
import { startRig, test, times } from './rig.ts';

test('cancels by id, label and flow-control key, also between retries', async ({ rig }) => {
  const { qstash, client, there, answering } = rig;
  answering(500);
  const flowControl = { key: 'k', parallelism: 1 };
  const retrying = await client.publish({ url: `${there.url}/r`, retryDelay: '60000' });
  await there.until('/r', 1);
  const later = (more: object) => client.publish({ url: there.url, delay: '1d', ...more });
  const [plain] = await Promise.all([
    later({}),
    later({ label: ['a', 'b'] }),
    later({ label: 'b' }),
  ]);
  await Promise.all([later({ flowControl }), later({ label: 'c' })]);
  expect(await client.messages.cancel(plain?.messageId ?? '')).toEqual({ cancelled: 1 });
  expect(await client.messages.cancel([retrying.messageId, 'msg_unknown'])).toEqual({
    cancelled: 1,
  });
  expect(await client.messages.cancel({ filter: { label: 'b' } })).toEqual({ cancelled: 2 });
  expect(await client.messages.cancel({ filter: { flowControlKey: ['k', 'l'] } })).toEqual({
    cancelled: 1,
  });
  expect(await client.messages.cancel({ all: true })).toEqual({ cancelled: 1 });
  await client.flowControl.pause('k');
  await client.publish({ url: there.url, flowControl });
  expect(await client.flowControl.get('k')).toMatchObject({ waitListSize: 1 });
  expect(await client.messages.cancel({ filter: { host: new URL(there.url).host } })).toEqual({
    cancelled: 1,
  });
  expect(await client.flowControl.get('k')).toMatchObject({ waitListSize: 0 });
  await client.flowControl.resume('k');
  await qstash.drain(30_000);
  expect(qstash.state()).toMatchObject({ dlq: 0, attempts: 1, messages: { cancelled: 7 } });
  const { logs } = await client.logs({ messageIds: [retrying.messageId] });
  const history = 'CREATED ACTIVE ERROR RETRY CANCEL_REQUESTED CANCELLED'.split(' ');
  expect(logs.map((log) => log.state)).toEqual(history.toReversed());
});

test('holds parallelism, globally and by key, pauses and pins', async () => {
  const { qstash, client, there, answering, holding, close } = await startRig({ parallelism: 5 });
  onTestFinished(close);
  let answer = holding();
  const flowControl = { key: 'two', parallelism: 2 };
  const held = { url: `${there.url}/held`, flowControl };
  await client.flowControl.pause('two');
  await client.batch([...times(20, held), ...times(40, { url: `${there.url}/free` })]);
  for (let done = 5; done <= 40; done += 5) {
    await there.until('/free', done);
    answer(200);
  }
  await vi.waitFor(() => expect(qstash.state().inFlight).toBe(0));
  expect(there.on('/held')).toEqual([]);
  expect(Math.max(...there.hits.map((hit) => hit.inFlight))).toBe(5);
  const waiting = { waitListSize: 20, parallelismMax: 2, parallelismCount: 0, isPaused: true };
  expect(await client.flowControl.get('two')).toMatchObject(waiting);
  answer = holding();
  await client.flowControl.resume('two');
  for (let done = 2; done < 10; done += 2) {
    await there.until('/held', done);
    answer(200);
  }
  await there.until('/held', 10);
  await client.flowControl.pin('two', { parallelism: 4 });
  await there.until('/held', 12);
  answer(200);
  answering(200);
  await qstash.drain(30_000);
  const atOnce = there.on('/held').map((hit) => hit.inFlight);
  expect([Math.max(...atOnce.slice(0, 10)), Math.max(...atOnce)]).toEqual([2, 4]);
  expect(await client.flowControl.getGlobalParallelism()).toEqual({
    parallelismMax: 5,
    parallelismCount: 0,
  });
});

test('holds the rate per period', async ({ rig }) => {
  const { client, there } = rig;
  const flowControl = { key: 'slow', rate: 5, period: '20s' } as const;
  await client.batch(times(15, { url: `${there.url}/rate`, flowControl }));
  await there.until('/rate', 15);
  const { logs } = await client.logs({ filter: { state: 'ACTIVE' } });
  const at = logs.map(({ time }) => time).toReversed();
  expect(at).toHaveLength(15);
  // A period lasts 200 ms here; the log's times are whole ones.
  const since = (n: number) => (at[n] ?? Number.NaN) - (at[0] ?? Number.NaN);
  expect(since(5)).toBeGreaterThanOrEqual(198);
  expect(since(10)).toBeGreaterThanOrEqual(398);
});
