import { afterAll, expect, test } from 'vitest';
import { assertBooksHold } from '../support/ledger-invariants.ts';
import { someone, startRig } from '../support/worker.ts';
import { companies } from '../support/worker-csv.ts';
import { untilDone } from '../support/worker-shop.ts';

const rig = await startRig({
  qstash: { parallelism: 25 },
  providerLatencyMs: 100,
  env: { PARALLEL_INVOCATIONS: '25', SIGNUP_CREDITS: '5000' },
});
afterAll(async () => {
  await assertBooksHold(rig.database.pool);
  await rig.close();
});

test('a small job does not wait for a large one, of another user or of its own', async () => {
  const [giant, other] = await Promise.all([rig.user(someone()), rig.user(someone())]);
  // Three waves of chunks; behind them, a small job would end when two thirds are done.
  const large = await rig.startJob(giant.token, companies(3000));
  await untilDone(rig, giant.token, large.id, 1);
  await Promise.all(
    [giant, other].map(async ({ token }) => {
      const small = await rig.startJob(token, companies(20, 'Small'));
      expect(await rig.ended(token, small.id)).toMatchObject({ rows: { succeeded: 20 } });
    }),
  );
  const { status, rows } = await rig.readJob(giant.token, large.id);
  expect(status).toBe('running');
  expect(rows.done).toBeLessThan(1500);
  await rig.api(`/v1/jobs/${large.id}/cancel`, { method: 'POST', token: giant.token });
});
