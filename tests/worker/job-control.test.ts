import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, expect, test } from 'vitest';
import { assertBooksHold } from '../support/ledger-invariants.ts';
import { someone, startRig } from '../support/worker.ts';
import type { Job } from '../support/worker-client.ts';
import { play } from '../support/outages.ts';
import { companies } from '../support/worker-csv.ts';
import { expectProblem } from '../support/worker-problem.ts';
import { untilDone } from '../support/worker-shop.ts';
import { everyMinute } from '../support/worker-time.ts';

const rig = await startRig({ qstash: { parallelism: 4 } });

afterEach(() => {
  for (const { faults } of [rig.qstash, rig.redis, rig.providers]) faults.clear();
});
afterAll(async () => {
  await assertBooksHold(rig.database.pool);
  await rig.close();
});

const post = (token: string, id: string, verb: string) =>
  rig.json<{ job: Job }>(`/v1/jobs/${id}/${verb}`, { method: 'POST', token });

const askedOf = (): number => rig.providers.stats().total.requests;

test('cancel: nothing more is spent, what is finished stays, the rest is given back', async () => {
  const { token } = await rig.user(someone());
  rig.providers.faults.add({ kind: 'latency', ms: 100 });
  const { id } = await rig.startJob(token, companies(120));
  await untilDone(rig, token, id, 1);
  const { job } = await post(token, id, 'cancel');
  expect(job.status).toBe('cancelled');
  expect(job.rows.done).toBeLessThan(120);
  expect(job.credits).toEqual({
    held: 0,
    charged: job.rows.succeeded,
    released: 120 - job.rows.succeeded,
  });
  // What was under way may end; then nobody is asked any more.
  await rig.qstash.drain(10_000);
  const asked = askedOf();
  await pause(300);
  expect(askedOf()).toBe(asked);
  expect(asked).toBeLessThan(200);
  expect(rig.qstash.state().messages.cancelled).toBeGreaterThan(0);
  expect(await rig.readJob(token, id)).toEqual(job);
  expect((await rig.me(token)).credits).toMatchObject({
    balance: 500 - job.rows.succeeded,
    held: 0,
  });
  const lines = (await rig.output(token, id)).trimEnd().split('\r\n');
  expect(lines.filter((line) => line.endsWith(',error,The job was cancelled,'))).toHaveLength(
    120 - job.rows.succeeded,
  );
  expect(await post(token, id, 'cancel')).toEqual({ job });
});

test('retry: the failed rows, and only those, are asked for again', async () => {
  const { token } = await rig.user(someone());
  const unlucky = 'Never searched for [0-4]$';
  await play([{ kind: 'error', provider: 'search', match: unlucky }], rig.providers);
  const { id } = await rig.startJob(token, companies(20, 'Never searched for'));
  expect(await rig.ended(token, id)).toMatchObject({
    rows: { succeeded: 15, failed: 5 },
    credits: { charged: 15, released: 5 },
  });
  await play([], rig.providers);
  const before = askedOf();
  const { job } = await post(token, id, 'retry');
  expect(job).toMatchObject({ status: 'running', rows: { succeeded: 15, failed: 0 } });
  expect(await rig.ended(token, id)).toMatchObject({
    status: 'completed',
    rows: { total: 20, done: 20, succeeded: 20, failed: 0 },
    credits: { held: 0, charged: 20, released: 5 },
  });
  expect(askedOf() - before).toBe(10);
  expect((await rig.me(token)).credits.balance).toBe(480);
  expect((await rig.output(token, id)).match(/,ok,,\r\n/g)).toHaveLength(20);
  const refusal = await rig.api(`/v1/jobs/${id}/retry`, { method: 'POST', token });
  await expectProblem(refusal, 409, 'nothing_to_retry');
});

test('delete: the job and its rows are gone, what it cost stays in the ledger', async () => {
  const { token } = await rig.user(someone());
  const { id } = await rig.startJob(token, companies(6));
  await rig.ended(token, id);
  const path = `/v1/jobs/${id}`;
  expect((await rig.api(path, { method: 'DELETE', token })).status).toBe(204);
  for (const [method, gone] of [
    ['GET', path],
    ['GET', `${path}/output`],
    ['GET', `${path}/events`],
    ['POST', `${path}/retry`],
    ['DELETE', path],
  ] as const)
    await expectProblem(await rig.api(gone, { method, token }), 404, 'not_found');
  expect(await rig.json('/v1/jobs', { token })).toEqual({ items: [], nextCursor: null });
  expect((await rig.entries(token)).map(({ kind, jobId }) => [kind, jobId])).toEqual([
    ['hold', id],
    ['signup', null],
  ]);
});

test('retention: rows go with the cron, and the output says why', async () => {
  const { token } = await rig.user(someone());
  const { id } = await rig.startJob(token, companies(6));
  await rig.ended(token, id);
  await rig.database.pool.query(
    "update jobs set finished_at = finished_at - interval '30 days 1 minute' where id = $1",
    [id],
  );
  await everyMinute(rig);
  const problem = await expectProblem(
    await rig.api(`/v1/jobs/${id}/output`, { token }),
    410,
    'rows_expired',
  );
  expect(problem.detail).toContain('30 days');
  expect(await rig.readJob(token, id)).toMatchObject({ status: 'completed', rows: { total: 6 } });
});
