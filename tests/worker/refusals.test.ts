import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { assertBooksHold } from '../support/ledger-invariants.ts';
import {
  callsDuring,
  callsOf,
  expectWhole,
  jobUnderWay,
  mend,
  type Name,
  openOf,
  play,
  untilWaiting,
} from '../support/outages.ts';
import { rigSecrets, someone, startRig } from '../support/worker.ts';
import { waitFor } from '../support/worker-client.ts';
import { companies, parseCsv } from '../support/worker-csv.ts';
import { everyMinute } from '../support/worker-time.ts';

const rig = await startRig({
  env: {
    PARALLEL_INVOCATIONS: '4',
    PARALLEL_ROWS_PER_INVOCATION: '4',
    // Three seconds stand for an hour.
    PROVIDER_PATIENCE_MINUTES: '0.05',
  },
  qstash: { parallelism: 4 },
  providerLatencyMs: 150,
});
const rows = 60;
const token = rigSecrets.ADMIN_TOKEN;

afterEach(() => mend(rig));
afterAll(async () => {
  await assertBooksHold(rig.database.pool);
  await rig.close();
});

type Notice = { id: string; kind: string; subject: { type: string; id: string }; detail: string };
const refusalsOf = async (provider: string): Promise<Notice[]> => {
  const { items } = await rig.json<{ items: Notice[] }>('/v1/admin/notices', { token });
  return items.filter(
    ({ kind, subject }) => kind === 'provider_refused' && subject.id === provider,
  );
};

/** Whether an invocation works rows of a job: those have their own probe. */
const isWorked = async (jobId: string): Promise<boolean> => {
  const { rowCount } = await rig.database.pool.query(
    "select 1 from job_chunks where job_id = $1 and status = 'pending' and lease_until > now()",
    [jobId],
  );
  return rowCount !== 0;
};

describe.each<[Name, 'invalid-key' | 'payment-required' | 'out-of-credits' | 'forbidden']>([
  ['llm', 'invalid-key'],
  ['llm', 'out-of-credits'],
  ['search', 'invalid-key'],
  ['search', 'payment-required'],
])('%s refuses: %s', (provider, kind) => {
  test('the job waits, the operator is told, nothing is called until it is mended', async () => {
    const job = await jobUnderWay(rig, rows);
    await play([{ provider, kind }], rig.providers);
    const waiting = { provider, reason: 'refused', until: null };
    expect(await untilWaiting(rig, job.token, job.id)).toMatchObject({
      status: 'running',
      waiting,
      rows: { failed: 0 },
    });
    const [notice, ...others] = await waitFor(async () => {
      const found = await refusalsOf(provider);
      return found.length > 0 && found;
    });
    expect(others).toEqual([]);
    expect(notice?.subject).toEqual({ type: 'provider', id: provider });
    await waitFor(async () => !(await isWorked(job.id)));
    // Longer than the patience with an outage: a refusal is for the operator to mend.
    expect(await callsDuring(rig, provider, 6000)).toBeLessThanOrEqual(2);
    await everyMinute(rig);
    expect(await rig.readJob(job.token, job.id)).toMatchObject({ status: 'running', waiting });
    await play([], rig.providers);
    await expectWhole(rig, job, rows);
    const path = `/v1/admin/notices/${notice?.id}/close`;
    await rig.json(path, { method: 'POST', token, body: { reason: 'another key' } });
  });
});

test('a model that is gone answers every call with 404: the job waits, no row fails', async () => {
  const job = await jobUnderWay(rig, rows);
  await play([{ provider: 'llm', kind: 'model-gone' }], rig.providers);
  expect(await untilWaiting(rig, job.token, job.id)).toMatchObject({
    waiting: { provider: 'llm', reason: 'refused' },
    rows: { failed: 0 },
  });
  // The operator is told after the others are.
  const notices = await waitFor(async () => {
    const found = await refusalsOf('llm');
    return found.length > 0 && found;
  });
  expect(notices).toHaveLength(1);
  await play([], rig.providers);
  await expectWhole(rig, job, rows);
});

test('a wrong key from the start: at most the searches of rows under way are paid', async () => {
  await play([{ provider: 'llm', kind: 'invalid-key' }], rig.providers);
  const { token: user, me } = await rig.user(someone());
  const before = callsOf(rig);
  const { id } = await rig.startJob(user, companies(rows, `Firm ${someone().slice(0, 8)}`));
  await untilWaiting(rig, user, id);
  await callsDuring(rig, 'search', 1500);
  expect(callsOf(rig).search - before.search).toBeLessThanOrEqual(4 * 4);
  await play([], rig.providers);
  await expectWhole(rig, { token: user, id, balance: me.credits.balance }, rows);
  expect(callsOf(rig).search - before.search).toBe(rows);
});

test.each([
  ['content-policy', 'Model answered 400'],
  ['content-filter', undefined],
  ['refusal', undefined],
] as const)('%s on one row: an error row with a reason, the others succeed', async (kind, says) => {
  const { token: user } = await rig.user(someone());
  const name = `Firm ${someone().slice(0, 8)}`;
  await play([{ provider: 'llm', kind, match: `${name} 7\\b` }], rig.providers);
  const { id } = await rig.startJob(user, companies(20, name));
  const waits: unknown[] = [];
  const job = await waitFor(async () => {
    const seen = await rig.readJob(user, id);
    waits.push(seen.waiting);
    return seen.status === 'completed' && seen;
  });
  expect(job).toMatchObject({ rows: { succeeded: 19, failed: 1 }, credits: { charged: 19 } });
  expect(waits.filter(Boolean)).toEqual([]);
  expect(await openOf(rig)).toEqual([]);
  const failed = parseCsv(await rig.output(user, id)).filter((record) => record.at(-3) === 'error');
  expect(failed).toHaveLength(1);
  expect(failed[0]?.at(-2)).toMatch(says ?? /\w+ \w+/);
});

describe('longer than the patience', () => {
  test('away from the start: the job fails, says why, costs nothing and can be retried', async () => {
    await play([{ provider: 'llm', kind: 'unavailable' }], rig.providers);
    const { token: user, me } = await rig.user(someone());
    const before = callsOf(rig);
    const { id } = await rig.startJob(user, companies(rows, `Firm ${someone().slice(0, 8)}`));
    await untilWaiting(rig, user, id);
    const failed = await waitFor(async () => {
      await everyMinute(rig);
      const job = await rig.readJob(user, id);
      return job.status !== 'running' && job;
    });
    expect(failed).toMatchObject({
      status: 'failed',
      error: 'The model did not answer for 3 seconds',
      waiting: null,
      rows: { succeeded: 0, failed: rows },
      credits: { held: 0, charged: 0, released: rows },
    });
    expect((await rig.me(user)).credits.balance).toBe(me.credits.balance);
    await play([], rig.providers);
    await mend(rig);
    await rig.json(`/v1/jobs/${id}/retry`, { method: 'POST', token: user });
    expect(await rig.ended(user, id)).toMatchObject({
      status: 'completed',
      error: null,
      rows: { succeeded: rows, failed: 0 },
      credits: { held: 0, charged: rows },
    });
    expect(callsOf(rig).search - before.search).toBe(rows);
  });

  test('in the middle: what was worked stays and is charged, the rest is not', async () => {
    const job = await jobUnderWay(rig, rows);
    await play([{ provider: 'llm', kind: 'unavailable' }], rig.providers);
    await untilWaiting(rig, job.token, job.id);
    const ended = await waitFor(async () => {
      await everyMinute(rig);
      const one = await rig.readJob(job.token, job.id);
      return one.status !== 'running' && one;
    });
    const { succeeded } = ended.rows;
    expect(succeeded).toBeGreaterThan(0);
    expect(ended).toMatchObject({
      status: 'completed',
      rows: { failed: rows - succeeded },
      credits: { held: 0, charged: succeeded, released: rows - succeeded },
    });
    const output = await rig.output(job.token, job.id);
    expect(output.match(/,error,The model did not answer for 3 seconds/g)).toHaveLength(
      rows - succeeded,
    );
  });
});
