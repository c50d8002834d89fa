import { QstashError } from '@upstash/qstash';
import { expect } from 'vitest';
import { json, test, times } from './rig.ts';

type Answers = { messageId?: string; error?: string }[];

test('sends what it can of a batch and says what was wrong with the others', async ({ rig }) => {
  const { qstash, client, there } = rig;
  const item = (n: number, more: object = {}) => ({ url: `${there.url}/b`, body: { n }, ...more });
  const answers: Answers = await client.batchJSON([
    item(0),
    item(1, { retries: 6 }),
    item(2, { body: 'x'.repeat(10 * 1024 * 1024) }),
    item(3, { url: 'a-url-group' }),
    item(4, { delay: '31d' }),
    item(5),
  ]);
  const messageId = expect.stringMatching(/^msg_/);
  expect(answers).toEqual([
    { messageId },
    { error: 'quota maxRetries exceeded, current limit: 5' },
    { error: 'quota maxMessageSize exceeded, current limit: 10485760' },
    { error: expect.stringContaining('invalid destination url') },
    { error: 'quota maxDelay exceeded, current limit: 2592000' },
    { messageId },
  ]);
  await qstash.drain(30_000);
  expect(new Set(there.hits.map((hit) => json(hit)['n']))).toEqual(new Set([0, 5]));
  expect(there.hits).toHaveLength(2);
  expect(qstash.state().messages).toMatchObject({ delivered: 2, failed: 0 });
});

test('a malformed message refuses its whole batch', async ({ rig }) => {
  const { client, there, api } = rig;
  const bad = [{ url: there.url }, { url: there.url, deduplicationId: 'a:b' }];
  await expect(client.batchJSON(bad)).rejects.toThrow("DeduplicationId cannot contain ':'");
  const refused = [
    { queue: 'q' },
    { destination: 7 },
    { headers: { 'Upstash-Retires': '3' } },
    { headers: { 'X-Own': 'not forwarded' } },
    { body: { n: 1 } },
  ];
  for (const more of refused) {
    const body = JSON.stringify([{ destination: there.url }, { destination: there.url, ...more }]);
    const answer = await api('/v2/batch', { method: 'POST', body });
    expect([answer.status, await answer.json()], body).toEqual([
      400,
      { error: expect.any(String) },
    ]);
  }
  expect(there.hits).toEqual([]);
});

test('lets chosen messages of a batch fail', async ({ rig }) => {
  const { qstash, client, there } = rig;
  const fault = (match: string, body?: string) =>
    qstash.faults.add({ on: 'message', kind: 'status', match, times: 1, body });
  fault('#2 ', 'try again');
  fault('job-7');
  const items = times(4, { url: there.url });
  const sent = await client.batch([...items, { url: there.url, label: 'job-7' }]);
  const answers = sent as Answers;
  expect(answers.map(({ error }) => error)).toEqual([
    undefined,
    'try again',
    undefined,
    undefined,
    'internal error',
  ]);
  await qstash.drain(30_000);
  expect(there.hits).toHaveLength(3);
  expect(await client.batch([{ url: there.url, label: 'job-7' }])).toEqual([
    { messageId: expect.any(String) },
  ]);
  qstash.faults.add({ kind: 'status', status: 503, match: '/v2/batch' });
  await expect(client.batch(items)).rejects.toThrow(QstashError);
});
