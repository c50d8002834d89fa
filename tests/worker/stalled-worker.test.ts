import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, expect, test } from 'vitest';
import { someone, startRig } from '../support/worker.ts';
import { companies } from '../support/worker-csv.ts';

const rig = await startRig();

afterAll(rig.close);

/** Longer than the Worker waits for Redis. */
const stallMs = 2000;

/** Stops the Worker at its next call to Redis; it goes on long after the answer has come. */
async function stallAtRedis(): Promise<void> {
  const pid = rig.worker.pid ?? expect.unreachable();
  const answered = new Promise((resolve) => {
    rig.redis.server.prependOnceListener(
      'request',
      (_: IncomingMessage, answer: ServerResponse) => {
        process.kill(pid, 'SIGSTOP');
        resolve(once(answer, 'finish'));
      },
    );
  });
  try {
    await answered;
    await delay(stallMs);
  } finally {
    process.kill(pid, 'SIGCONT');
  }
}

/** A job of one chunk, which the queue does not deliver, but `deliver`. */
async function undelivered(token: string, csv: string) {
  rig.qstash.faults.add({ on: 'message', kind: 'status' });
  const { id } = await rig.createJob(token);
  expect((await rig.upload(token, id, csv)).status).toBe(202);
  const message = JSON.stringify({ jobId: id, attempt: 1, chunk: 0 });
  const deliver = async () => {
    expect((await rig.postQueue('/queue/chunks', message)).status).toBe(200);
    expect(await rig.readJob(token, id)).toMatchObject({ rows: { succeeded: 6 } });
  };
  return { deliver };
}

test('an answer of Redis that the Worker is too busy to read is no outage', async () => {
  const { token } = await rig.user(someone());
  const [first, second] = [
    await undelivered(token, companies(6)),
    await undelivered(token, companies(6)),
  ];
  await Promise.all([stallAtRedis(), first.deliver()]);
  await second.deliver();
  expect(rig.lines.join('\n')).not.toMatch(/rows_without_redis|redis_unavailable/);
  // The second job finds in Redis what the first one searched for.
  expect(rig.providers.stats().search.requests).toBe(6);
});
