import { expect } from 'vitest';
import { Clock } from '../../../local/qstash/clock.ts';
import { first, json, pause, test, verify } from './rig.ts';

test('publishes method, headers, signature and the very bytes', async ({ rig }) => {
  const { qstash, client, there } = rig;
  const url = `${there.url}/p?a=1&b=%20x`;
  const body = new Blob([new Uint8Array([0, 255, 128, 10])]);
  const headers = { 'X-Row': 'seven', 'Content-Type': 'application/octet-stream' };
  const { messageId } = await client.publish({ url, body, headers, method: 'PUT' });
  await client.publishJSON({ url: encodeURIComponent(`${there.url}/j`), body: { ä: 1 } });
  await qstash.drain(30_000);
  const raw = first(there.on('/p?a=1&b=%20x'));
  expect([raw.method, [...raw.body]]).toEqual(['PUT', [0, 255, 128, 10]]);
  expect(raw.headers).toMatchObject({
    'content-type': 'application/octet-stream',
    'user-agent': 'Upstash-QStash',
    'upstash-message-id': messageId,
    'upstash-retried': '0',
    'x-row': 'seven',
  });
  expect(raw.headers).not.toHaveProperty('authorization');
  const text = first(there.on('/j'));
  expect(text.body.toString()).toBe('{"ä":1}');
  await expect(verify(text, `${there.url}/j`)).resolves.toBe(true);
  await expect(verify(text, `${there.url}/other`)).rejects.toThrow('invalid subject');
  await expect(verify({ ...text, body: Buffer.from('{}') }, `${there.url}/j`)).rejects.toThrow();
});

test('delivers a batch', async ({ rig }) => {
  const { qstash, client, there } = rig;
  const items = Array.from({ length: 300 }, (_, n) => ({ url: `${there.url}/b`, body: { n } }));
  const answers = await client.batchJSON(items);
  expect(new Set(answers.map((answer) => answer.messageId)).size).toBe(300);
  await qstash.drain(30_000);
  const seen = there.on('/b').map((hit) => Number(json(hit)['n']));
  expect(seen.toSorted((a, b) => a - b)).toEqual(items.map((_, n) => n));
});

test('delays by Delay and Not-Before, and changes speed while waiting', async ({ rig }) => {
  const { qstash, client, there, setScale } = rig;
  const from = Date.now();
  await client.publish({ url: `${there.url}/d`, delay: 20 });
  await client.publish({ url: `${there.url}/n`, notBefore: Math.floor(from / 1_000) + 31 });
  const slow = await client.publish({ url: `${there.url}/slow`, delay: '10h' });
  await there.until('/n', 1);
  expect(first(there.on('/d')).at - from).toBeGreaterThanOrEqual(195);
  expect(first(there.on('/n')).at - from).toBeGreaterThanOrEqual(295);
  expect(await client.messages.get(slow.messageId)).toMatchObject({ url: `${there.url}/slow` });
  const clock = new Clock(1_000_000);
  await pause(5);
  clock.setScale(1);
  expect(clock.now()).toBeGreaterThanOrEqual(4_000_000);
  setScale(1_000_000);
  await qstash.drain(30_000);
  await expect(client.messages.get(slow.messageId)).rejects.toThrow('not found');
});

test('deduplicates by id and by content, for ten minutes', async ({ rig }) => {
  const { qstash, client, there, setScale } = rig;
  const send = (body: string, more: object) => client.publish({ url: there.url, body, ...more });
  setScale(1);
  const one = await send('x', { deduplicationId: 'same' });
  expect(await send('y', { deduplicationId: 'same' })).toEqual({ ...one, deduplicated: true });
  const two = await send('z', { contentBasedDeduplication: true });
  expect(await send('z', { contentBasedDeduplication: true })).toMatchObject(two);
  const other = { contentBasedDeduplication: true, headers: { h: '1' } };
  expect(await send('z', other)).not.toHaveProperty('deduplicated');
  await qstash.drain(30_000);
  expect(there.hits).toHaveLength(3);
  setScale(10_000);
  await pause(80);
  expect(await send('y', { deduplicationId: 'same' })).not.toHaveProperty('deduplicated');
});
