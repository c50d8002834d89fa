import { afterAll, describe, expect, test } from 'vitest';
import { assertBooksHold } from '../support/ledger-invariants.ts';
import { rigSecrets, someone, startRig } from '../support/worker.ts';
import type { Job } from '../support/worker-client.ts';
import { companies } from '../support/worker-csv.ts';
import { expectProblem } from '../support/worker-problem.ts';

const prices = { search: 1, queue: 10, models: { llm: { in: 2, out: 8 } } };
const rig = await startRig({ env: { PRICES: JSON.stringify(prices) } });

afterAll(async () => {
  await assertBooksHold(rig.database.pool);
  await rig.close();
});

const admin = { token: rigSecrets.ADMIN_TOKEN };

type Answer = Job['usage'] & {
  cost: { amount: number; currency: string };
  rows: { succeeded: number; failed: number };
  creditsCharged: number;
};
type Page = {
  items: (Answer & { day: string; userId: string; jobs: number })[];
  unpricedModels: string[];
};

describe('what a job took', () => {
  test('is nothing at creation; the user sees it grow, the operator in money', async () => {
    const sub = someone();
    const { token, me } = await rig.user(sub);
    const { id } = await rig.createJob(token);
    const created = await rig.json<Job>(`/v1/jobs/${id}`, { token });
    const nothing = { tokensIn: 0, tokensOut: 0, searches: 0, cachedSearches: 0, messages: 0 };
    expect(created).toMatchObject({ usage: nothing, waiting: null, error: null });

    await rig.upload(token, id, companies(25));
    await rig.ended(token, id);
    const { usage } = await rig.json<Job>(`/v1/jobs/${id}`, { token });
    expect(usage.searches + usage.cachedSearches).toBe(25);
    for (const name of ['tokensIn', 'tokensOut', 'searches', 'messages'] as const)
      expect(usage[name], name).toBeGreaterThan(0);

    const micros =
      2 * usage.tokensIn + 8 * usage.tokensOut + 1000 * usage.searches + 100 * usage.messages;
    const took = {
      ...usage,
      rows: { succeeded: 25, failed: 0 },
      cost: { amount: micros / 1e6, currency: 'usd' },
      creditsCharged: 25,
    };
    expect(await rig.json<Answer>(`/v1/admin/jobs/${id}/usage`, admin)).toMatchObject({
      jobId: id,
      userId: me.id,
      status: 'completed',
      ...took,
    });
    for (const user of [me.id, sub]) {
      const { items, unpricedModels } = await rig.json<Page>(
        `/v1/admin/usage?userId=${user}`,
        admin,
      );
      expect(unpricedModels).toEqual([]);
      expect(items).toMatchObject([{ userId: me.id, jobs: 1, ...took }]);
    }
  });

  test.each([
    'from=yesterday',
    'from=2026-02-30',
    'to=0000-01-01',
    'from=2026-03-02&to=2026-03-01',
    'from=2020-01-01&to=2026-01-01',
    'limit=0',
    'cursor=x',
    'cursor=2026-03-01~me',
    'cursor=0000-01-01~00000000-0000-4000-8000-000000000000',
  ])('is not told for %s: 422', async (query) => {
    await expectProblem(await rig.api(`/v1/admin/usage?${query}`, admin), 422, 'invalid_request');
  });

  test('of a user or a job that is none: 404; for anybody but operators: 401', async () => {
    const { token } = await rig.user(someone());
    const { id } = await rig.createJob(token);
    for (const path of ['/usage?userId=nobody', '/jobs/no-id/usage', `/jobs/${someone()}/usage`])
      await expectProblem(await rig.api(`/v1/admin${path}`, admin), 404, 'not_found');
    for (const path of ['/usage', `/jobs/${id}/usage`])
      await expectProblem(await rig.api(`/v1/admin${path}`, { token }), 401, 'unauthorized');
  });
});
