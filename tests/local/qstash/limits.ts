import { QstashDailyRatelimitError, QstashRatelimitError } from '@upstash/qstash';
import { expect } from 'vitest';
import { test, times } from './rig.ts';

const soon = () => Math.ceil(Date.now() / 1_000);

test('limits requests in a second, but not those that publish', async ({ rig }) => {
  const { qstash, client, there, setScale } = rig;
  // A second lasts a hundred.
  setScale(0.01);
  qstash.plan.requestsPerSecond = 2;
  await client.flowControl.getGlobalParallelism();
  await client.logs();
  const refused = client.dlq.listMessages();
  await expect(refused).rejects.toThrow(QstashRatelimitError);
  const error = (await refused.catch((thrown: unknown) => thrown)) as QstashRatelimitError;
  expect(error).toMatchObject({ status: 429, limit: '2', remaining: '0' });
  expect(Number(error.reset) - soon()).toBeGreaterThan(0);
  expect(Number(error.reset) - soon()).toBeLessThanOrEqual(100);
  await client.batch(times(5, { url: there.url }));
  await client.publish({ url: there.url });
  setScale(1_000);
  await expect.poll(() => client.dlq.listMessages().catch(() => undefined)).toBeDefined();
});

test('limits messages in a day, and tells it from the burst', async ({ rig }) => {
  const { qstash, client, there } = rig;
  qstash.plan.messagesPerDay = 3;
  await client.batch(times(2, { url: there.url }));
  const refused = client.batch(times(2, { url: there.url }));
  await expect(refused).rejects.toThrow(QstashDailyRatelimitError);
  const error = (await refused.catch((thrown: unknown) => thrown)) as QstashDailyRatelimitError;
  expect(error).toMatchObject({ status: 429, limit: '3', remaining: '1' });
  // A day lasts 864 s here.
  expect(Number(error.reset) - soon()).toBeGreaterThan(400);
  await client.publish({ url: there.url });
  await expect(client.publish({ url: there.url })).rejects.toThrow(QstashDailyRatelimitError);
  await qstash.drain(30_000);
  expect(there.hits).toHaveLength(3);
});
