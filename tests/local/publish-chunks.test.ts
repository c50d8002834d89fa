import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { createQstash } from '../../functions/clients/qstash.ts';
import { publishAll, publishChunks } from '../../functions/processing/publish-chunks.ts';
import { rowCtx } from '../support/rows.ts';
import { json, type Rig, startRig } from './qstash/rig.ts';

let rig: Rig;
let publications = 0;
beforeAll(async () => {
  vi.spyOn(console, 'error').mockImplementation(() => undefined);
  rig = await startRig();
});
afterEach(() => {
  rig.qstash.faults.clear();
  rig.there.hits.splice(0);
});
afterAll(() => rig.close());

const chunksOf = (count: number) =>
  Array.from({ length: count }, (_, index) => ({ index, revision: 0 }));

function job() {
  publications += 1;
  const ctx = {
    ...rowCtx({ PUBLIC_URL: rig.there.url }),
    qstash: createQstash({ url: rig.qstash.url, token: 'test-token' }),
  };
  const jobId = `job${publications}`;
  const dispatch = { jobId, run: 1, userId: 'user', rows: 600, needsSearch: true };
  const publish = (count: number) =>
    publishChunks(ctx, dispatch, chunksOf(count), {
      round: 'a',
      flowControl: { key: 'lane', parallelism: 10 },
    });
  /** The chunks that arrive, each as the message that it should be. */
  const arrived = async (): Promise<unknown[]> => {
    await rig.qstash.drain(30_000);
    return rig.there.hits
      .map((hit) => {
        const body = json(hit);
        expect(body).toEqual({ jobId, run: 1, chunk: expect.any(Number), revision: 0 });
        return body['chunk'];
      })
      .toSorted((a, b) => Number(a) - Number(b));
  };
  return { ctx, dispatch, publish, arrived };
}

const refused = (match: string, times?: number) =>
  rig.qstash.faults.add({ on: 'message', kind: 'status', match, ...(times && { times }) });

test('a batch that was refused is published as it was', async () => {
  const { publish, arrived } = job();
  const body = { error: 'busy' };
  rig.qstash.faults.add({ kind: 'status', status: 503, body, match: 'POST /v2/batch', times: 2 });
  await publish(3);
  expect(await arrived()).toEqual([0, 1, 2]);
});

test('a batch whose answer was lost is published once', async () => {
  const { publish, arrived } = job();
  rig.qstash.faults.add({ kind: 'drop', when: 'after', match: 'POST /v2/batch', times: 1 });
  await publish(3);
  expect(await arrived()).toEqual([0, 1, 2]);
});

test('messages that were refused are published again, without those that were taken', async () => {
  const { publish, arrived } = job();
  const batches: Promise<unknown>[] = [];
  rig.qstash.observe((request) => void batches.push(request.json()));
  refused('#2 ', 1);
  refused('#4 ', 1);
  await publish(5);
  expect(await arrived()).toEqual([0, 1, 2, 3, 4]);
  const sizes = (await Promise.all(batches)).map((batch) => (batch as unknown[]).length);
  expect(sizes).toEqual([5, 2]);
});

test('a message that is refused every time: the others are sent, and the caller hears of it', async () => {
  const { publish, arrived } = job();
  refused('-2-a ');
  await expect(publish(4)).rejects.toThrow('1 of 4');
  expect(await arrived()).toEqual([0, 1, 3]);
});

test('one batch of many that fails keeps none of the others back', async () => {
  const { ctx, dispatch, arrived } = job();
  refused('-7-b ');
  await expect(publishAll(ctx, dispatch, chunksOf(250), 'b')).rejects.toThrow('1 of 100');
  expect(await arrived()).toEqual(Array.from({ length: 250 }, (_, i) => i).filter((i) => i !== 7));
});
