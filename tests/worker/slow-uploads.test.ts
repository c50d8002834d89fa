import { afterAll, expect, test } from 'vitest';
import { someone, startRig } from '../support/worker.ts';
import { waitFor } from '../support/worker-client.ts';
import { expectProblem } from '../support/worker-problem.ts';

// No credits: rows are stored and nothing else runs.
const rig = await startRig({ env: { SIGNUP_CREDITS: '0' } });
afterAll(rig.close);

const line = `${'x'.repeat(63)}\n`;

/** An upload that begins with so many bytes, after which its client is silent. */
async function silentAfter(bytes: number) {
  const { token } = await rig.user(someone());
  const { id } = await rig.createJob(token);
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(Buffer.from(line.repeat(bytes / line.length))),
  });
  const answer = rig.api(`/v1/jobs/${id}/input`, { method: 'PUT', token, body });
  await waitFor(async () => (await rig.readJob(token, id)).status === 'uploading');
  return { token, id, answer };
}

// The first waits for a new piece of 64 KiB, the second for the rest of one.
test.concurrent.each([65_536 * 3, 65_536 * 2 + 6400])(
  'an upload whose job is cancelled is answered soon, however long its client is silent: %i bytes',
  async (bytes) => {
    const { token, id, answer } = await silentAfter(bytes);
    const cancelled = await rig.api(`/v1/jobs/${id}/cancel`, { method: 'POST', token });
    expect(cancelled.status).toBe(200);
    await expectProblem(await answer, 409, 'upload_superseded');
    expect(await rig.readJob(token, id)).toMatchObject({ status: 'cancelled' });
  },
  40_000,
);

test.concurrent('a client that is silent for half a minute is given up; the job takes its file again', async () => {
  const { token, id, answer } = await silentAfter(65_536 * 3);
  await expectProblem(await answer, 400, 'upload_interrupted');
  expect(await rig.readJob(token, id)).toMatchObject({ status: 'created', rows: { total: 0 } });
  expect((await rig.upload(token, id, 'name\nJane\n')).status).toBe(402);
}, 60_000);
