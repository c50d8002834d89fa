import { expect } from 'vitest';
import { test, times } from './rig.ts';

test('a pinned limit holds against what messages say, until one comes after the unpinning', async ({
  rig,
}) => {
  const { client, there } = rig;
  const publish = () =>
    client.publish({
      url: there.url,
      delay: '1d',
      flowControl: { key: 'k', parallelism: 5, rate: 9, period: '30s' },
    });
  const limits = async () => {
    const { parallelismMax, rateMax, ratePeriod } = await client.flowControl.get('k');
    return [parallelismMax, rateMax, ratePeriod];
  };
  await publish();
  expect(await limits()).toEqual([5, 9, 30]);
  await client.flowControl.pin('k', { parallelism: 3, rate: 7, period: 60 });
  await publish();
  expect(await limits()).toEqual([3, 7, 60]);
  await client.flowControl.unpin('k', { parallelism: true });
  expect(await client.flowControl.get('k')).toMatchObject({
    isPinnedParallelism: false,
    isPinnedRate: true,
  });
  expect(await limits()).toEqual([3, 7, 60]);
  await publish();
  expect(await limits()).toEqual([5, 7, 60]);
  await client.flowControl.unpin('k', { rate: true });
  await publish();
  expect(await limits()).toEqual([5, 9, 30]);
  await expect(client.flowControl.pin('k', { parallelism: 0 })).rejects.toThrow('invalid');
  await expect(client.flowControl.pin('k', {})).rejects.toThrow('invalid');
});

test('a rate is reset, and one that waits goes', async ({ rig }) => {
  const { client, there } = rig;
  const flowControl = { key: 'rare', rate: 1, period: '10h' } as const;
  await client.batch(times(3, { url: `${there.url}/rare`, flowControl }));
  await there.until('/rare', 1);
  const waiting = { waitListSize: 2, rateMax: 1, rateCount: 1, ratePeriod: 36_000 };
  expect(await client.flowControl.get('rare')).toMatchObject(waiting);
  const before = Math.floor(Date.now() / 1_000);
  await client.flowControl.resetRate('rare');
  await there.until('/rare', 2);
  const after = await client.flowControl.get('rare');
  expect(after).toMatchObject({ waitListSize: 1, rateCount: 1 });
  expect(after.ratePeriodStart).toBeGreaterThanOrEqual(before);
  expect(there.on('/rare')).toHaveLength(2);
});

test('messages of a paused key wait, in flight ones end, and all go when it is resumed', async ({
  rig,
}) => {
  const { qstash, client, there, answering, holding } = rig;
  const answer = holding();
  const flowControl = { key: 'p', parallelism: 1 } as const;
  const send = () => client.publish({ url: `${there.url}/p`, flowControl });
  await send();
  await there.until('/p', 1);
  await client.flowControl.pause('p');
  await Promise.all([send(), send()]);
  answer(200);
  answering(200);
  await expect.poll(() => qstash.state().messages.delivered).toBe(1);
  expect(await client.flowControl.get('p')).toMatchObject({
    isPaused: true,
    waitListSize: 2,
    parallelismCount: 0,
  });
  expect(there.on('/p')).toHaveLength(1);
  await client.flowControl.resume('p');
  await qstash.drain(30_000);
  expect(there.on('/p')).toHaveLength(3);
  expect(await client.flowControl.get('p')).toMatchObject({ isPaused: false, waitListSize: 0 });
});
