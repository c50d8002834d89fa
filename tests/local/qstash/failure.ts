import { QstashError } from '@upstash/qstash';
import { expect } from 'vitest';
import { compileRetryDelay } from '../../../local/qstash/expression.ts';
import { defaultWaitMs } from '../../../local/qstash/outcome.ts';
import { first, gaps, json, retriedOf, test, verify } from './rig.ts';

test('retries after the default delay, an expression, or what the destination asks', async ({
  rig,
}) => {
  const { qstash, client, there, answering } = rig;
  answering(500);
  await client.publish({ url: `${there.url}/default`, retries: 1 });
  await client.publish({ url: `${there.url}/own`, retries: 2, retryDelay: '20000*(1+retried)' });
  const own = await there.until('/own', 3);
  const [once = 0, twice = 0] = gaps(own);
  expect(once).toBeGreaterThanOrEqual(195);
  expect(twice).toBeGreaterThanOrEqual(395);
  expect(retriedOf(own)).toEqual(['0', '1', '2']);
  expect(gaps(await there.until('/default', 2))[0]).toBeGreaterThanOrEqual(115);
  for (const wait of ['30', '30s', new Date(Date.now() + 41_000).toUTCString()]) {
    answering(302, { location: `${there.url}/redirected`, 'retry-after': wait });
    await client.publish({ url: `${there.url}/${wait.length}`, retries: 1 });
    const [gap = 0] = gaps(await there.until(`/${wait.length}`, 2));
    // The default is 120 ms.
    expect(gap, wait).toBeGreaterThanOrEqual(280);
  }
  await qstash.drain(30_000);
  expect(there.on('/redirected')).toEqual([]);
  expect(qstash.state()).toMatchObject({ dlq: 5, messages: { failed: 5, pending: 0 } });
  const waits = [1, 2, 3, 4, 5].map((n) => Math.round(defaultWaitMs(n) / 1_000));
  expect(waits).toEqual([12, 148, 1808, 22026, 86400]);
  const delay = (source: string) => compileRetryDelay(source).evaluate(3);
  expect(delay('max(1000, pow(2, retried) * 100) - -2 / (4 - 3)')).toBe(1_002);
  for (const bad of ['2 ** 3', 'process.exit()', 'pow(2)', '1 +', 'constructor(1)', '(1', ''])
    expect(() => delay(bad), bad).toThrow('invalid retry delay expression');
});

test('lists, filters, retries and deletes dead messages', async ({ rig }) => {
  const { qstash, client, there, answering } = rig;
  answering(489, { 'Upstash-NonRetryable-Error': 'true', 'x-why': 'never' });
  const body = { n: 1 };
  const sent = await client.publishJSON({ url: `${there.url}/dead`, body, label: ['job_1', 'x'] });
  await client.publish({ url: `${there.url}/other`, label: 'job_2' });
  await qstash.drain(30_000);
  expect(there.on('/dead')).toHaveLength(1);
  const { messages } = await client.dlq.listMessages({ filter: { label: 'job_1' } });
  const dead = {
    messageId: sent.messageId,
    body: '{"n":1}',
    labels: ['job_1', 'x'],
    maxRetries: 3,
  };
  const answer = {
    responseStatus: 489,
    responseHeader: { 'X-Why': ['never'] },
    responseBody: 'no',
  };
  expect(messages).toMatchObject([{ ...dead, ...answer }]);
  answering(204);
  const retried = await client.dlq.retry({ filter: { label: 'job_1' } });
  expect(retried.responses[0]?.messageId).not.toBe(sent.messageId);
  await qstash.drain(30_000);
  expect(there.on('/dead').map((hit) => hit.body.toString())).toEqual(['{"n":1}', '{"n":1}']);
  const left = await client.dlq.listMessages();
  expect(left.messages.map((message) => message.url)).toEqual([`${there.url}/other`]);
  await expect(client.dlq.retry(['0-0'])).rejects.toThrow('not found');
  expect(await client.dlq.delete({ all: true })).toMatchObject({ deleted: 1 });
  await expect(client.dlq.delete(left.messages[0]?.dlqId ?? '')).rejects.toThrow(QstashError);
});

test('calls back after each attempt, and once more when retries are spent', async ({ rig }) => {
  const { qstash, client, there } = rig;
  there.answer = (hit, response) =>
    void response.writeHead(hit.path === '/work' ? 503 : 200, { 'x-a': 'b' }).end('busy');
  const { messageId } = await client.publishJSON({
    url: `${there.url}/work`,
    body: { row: 1 },
    retries: 1,
    callback: `${there.url}/cb`,
    failureCallback: `${there.url}/fail`,
    headers: { 'Upstash-Callback-Forward-X-Kind': 'cb', 'x-own': 'mine' },
  });
  await qstash.drain(30_000);
  const common = {
    status: 503,
    body: Buffer.from('busy').toString('base64'),
    maxRetries: 1,
    sourceMessageId: messageId,
    url: `${there.url}/work`,
    method: 'POST',
    sourceHeader: { 'Content-Type': ['application/json'], 'X-Own': ['mine'] },
    sourceBody: Buffer.from('{"row":1}').toString('base64'),
    callerIP: '127.0.0.1',
  };
  const [one, ...rest] = there.on('/cb').map(json);
  expect(one).toMatchObject({ ...common, header: { 'X-A': ['b'] } });
  expect(one).not.toHaveProperty('retried');
  expect(rest).toMatchObject([{ ...common, retried: 1 }]);
  expect(first(there.on('/cb')).headers['x-kind']).toBe('cb');
  await expect(verify(first(there.on('/fail')), `${there.url}/fail`)).resolves.toBe(true);
  const { messages } = await client.dlq.listMessages();
  const last = { ...common, retried: 1, dlqId: messages[0]?.dlqId };
  expect(there.on('/fail').map(json)).toMatchObject([last]);
});
