import { createHash } from 'node:crypto';
import { expect } from 'vitest';
import { first, test } from './rig.ts';

const hidden = (text: string) => `REDACTED:${createHash('sha256').update(text).digest('hex')}`;

test('shows hashes where a message is redacted, and delivers the very bytes', async ({ rig }) => {
  const { qstash, client, there, answering } = rig;
  answering(500);
  const headers = { 'X-Secret': 'key', 'X-Open': 'door' };
  const redact = { body: true as const, header: ['x-secret'] };
  const url = `${there.url}/r`;
  const { messageId } = await client.publish({ url, body: 'p', headers, redact, retries: 0 });
  const header = { header: true } as const;
  const later = await client.publish({ url, body: 'q', headers, redact: header, delay: '1d' });
  const hit = first(await there.until('/r', 1));
  expect([hit.headers['x-secret'], hit.body.toString()]).toEqual(['key', 'p']);
  const shown = { 'X-Secret': [hidden('key')], 'X-Open': ['door'] };
  await expect.poll(() => qstash.state().dlq).toBe(1);
  const { messages } = await client.dlq.listMessages();
  expect(messages).toMatchObject([{ messageId, body: hidden('p'), header: shown }]);
  const { logs } = await client.logs({ filter: { messageId } });
  expect(logs).toHaveLength(4);
  for (const log of logs) expect(log).toMatchObject({ body: hidden('p'), header: shown });
  const waiting = await client.messages.get(later.messageId);
  expect(waiting.body).toBe('q');
  expect(Object.values(waiting.header ?? {}).flat()).toEqual(
    expect.arrayContaining([hidden('key'), hidden('door')]),
  );
  // A retry from the dead-letter queue delivers what was hidden.
  answering(200);
  await client.dlq.retry(messages[0]?.dlqId ?? '');
  const [, again] = await there.until('/r', 2);
  expect([again?.headers['x-secret'], again?.body.toString()]).toEqual(['key', 'p']);
});
