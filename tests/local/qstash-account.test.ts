import { Client, QstashError } from '@upstash/qstash';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { startQstash } from '../../local/qstash/index.ts';
import { wrongExchange } from './qstash/description.ts';

// What needs no destination that QStash could reach: with QSTASH_URL and QSTASH_TOKEN in the
// environment it is tried on that account, else on the stand-in. Nothing is delivered.
const { QSTASH_URL: realUrl, QSTASH_TOKEN: realToken } = process.env;
const token = realToken ?? 'test-token';
const keys = { currentSigningKey: 'sig_current', nextSigningKey: 'sig_next' };
const standIn = realUrl ? undefined : await startQstash({ token, ...keys });
const baseUrl = realUrl ?? standIn?.url ?? '';
const client = new Client({ baseUrl, token, retry: false });

const label = `trial-${Date.now()}`;
const url = 'https://example.com/rowloom-trial';
const later = { url, body: { n: 1 }, delay: '1d', label } as const;
const exchanges: Promise<string[]>[] = [];

beforeAll(() => {
  const send = globalThis.fetch;
  vi.stubGlobal('fetch', async (target: string, init?: RequestInit) => {
    const request = new Request(target, init);
    const answer = await send(request.clone());
    exchanges.push(wrongExchange(request, answer.clone()));
    return answer;
  });
  vi.spyOn(console, 'error').mockImplementation(() => undefined);
});

afterAll(async () => {
  await client.messages.cancel({ filter: { label } });
  vi.unstubAllGlobals();
  await standIn?.close();
  expect((await Promise.all(exchanges)).flat()).toEqual([]);
});

const bulk = async (path: string, method = 'GET'): Promise<Record<string, unknown>> => {
  const headers = { authorization: `Bearer ${token}` };
  return (await (await fetch(`${baseUrl}${path}`, { method, headers })).json()) as never;
};

test('a message that waits is shown, redacted where asked, and cancelled once', async () => {
  const { messageId } = await client.publishJSON({ ...later, redact: { body: true }, retries: 2 });
  const shown = { messageId, url, method: 'POST', maxRetries: 2, labels: [label] };
  expect(await client.messages.get(messageId)).toMatchObject({
    ...shown,
    body: expect.stringMatching(/^REDACTED:[\da-f]{64}$/),
  });
  expect(await client.messages.cancel(messageId)).toEqual({ cancelled: 1 });
  await expect(client.messages.get(messageId)).rejects.toThrow(QstashError);
  await expect(client.messages.cancel(messageId)).rejects.toThrow(QstashError);
});

test('a message of a batch that cannot be sent has an error, the others an id', async () => {
  const answers = await client.batchJSON([{ ...later }, { ...later, retries: 1_000 }]);
  const messageId = expect.stringMatching(/^msg_/);
  expect(answers).toEqual([{ messageId }, { error: expect.any(String) }]);
});

test('a deduplication id is taken once and knows no colon', async () => {
  const send = (deduplicationId: string) => client.publishJSON({ ...later, deduplicationId });
  const first = await send(label);
  expect(await send(label)).toEqual({ ...first, deduplicated: true });
  await expect(send(`${label}:1`)).rejects.toThrow("DeduplicationId cannot contain ':'");
});

test('cancels by filter now, or later as a bulk action', async () => {
  const own = `${label}-bulk`;
  const send = () => client.batchJSON([1, 2].map((n) => ({ ...later, body: { n }, label: own })));
  await send();
  expect(await client.messages.cancel({ filter: { label: own } })).toEqual({ cancelled: 2 });
  await send();
  const { actionId, cancelled } = await bulk(`/v2/messages?label=${own}&async=true`, 'DELETE');
  expect(cancelled).toBe(2);
  const state = async () => (await bulk(`/v2/bulkActions/${String(actionId)}`))['state'];
  await expect.poll(state, { timeout: 60_000 }).toBe('FINISHED');
});

test('a flow-control key is pinned, paused and let go', async () => {
  const key = `${label}-key`;
  await client.publishJSON({ ...later, flowControl: { key, parallelism: 2 } });
  await client.flowControl.pin(key, { parallelism: 3, rate: 5, period: 60 });
  await client.flowControl.pause(key);
  expect(await client.flowControl.get(key)).toMatchObject({
    flowControlKey: key,
    isPaused: true,
    isPinnedParallelism: true,
    isPinnedRate: true,
    parallelismMax: 3,
    rateMax: 5,
    ratePeriod: 60,
  });
  await client.flowControl.resume(key);
  await client.flowControl.unpin(key, { parallelism: true, rate: true });
  const free = { isPaused: false, isPinnedParallelism: false, isPinnedRate: false };
  expect(await client.flowControl.get(key)).toMatchObject(free);
});
