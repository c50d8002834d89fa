import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { createJob } from '../../functions/jobs/create-job.ts';
import { deleteJob } from '../../functions/jobs/delete-job.ts';
import { processChunk } from '../../functions/processing/process-chunk.ts';
import { startRedis, type Redis } from '../../local/redis/index.ts';
import { JobFixture, providerFetch, slotsOf } from '../support/job-fixture.ts';

/** Where what stands in a user's rows goes: to the model, and into what users share. */

let redis: Redis;
let fixture: JobFixture;
beforeAll(async () => {
  redis = await startRedis({ token: 'token' });
  fixture = await JobFixture.open({ UPSTASH_REDIS_REST_URL: redis.url });
});
afterAll(() => Promise.all([fixture.close(), redis.close()]));
beforeEach(async () => {
  redis.faults.clear();
  await fixture.ctx.redis.flushall();
});

/** A job that has run over a file: what was searched for, and what the model was told. */
async function worked(
  userId: string,
  text: string,
  asked: { prompt?: string; columns?: string[] } = {},
) {
  const searched: string[] = [];
  const told: string[] = [];
  const answers = providerFetch();
  const slots = slotsOf((url, init, timeout, read) => {
    const body = JSON.parse(init.body as string) as {
      q?: string;
      messages?: { role: string; content: string }[];
    };
    if (body.q !== undefined) searched.push(body.q);
    told.push(
      ...(body.messages ?? []).filter(({ role }) => role === 'user').map((one) => one.content),
    );
    return answers(url, init, timeout, read);
  });
  const { job } = await createJob(fixture.ctx, { userId, filename: 'leads.csv', ...asked });
  fixture.published = [];
  await fixture.upload(userId, job.id, text);
  for (const message of fixture.messages()) await processChunk(fixture.ctx, message, slots);
  return { jobId: job.id, searched: searched.toSorted(), told };
}

test('the model sees the columns that a job names; research finds the company in any', async () => {
  const { searched, told } = await worked(
    await fixture.newUser(),
    'Salary,City,Company\n90000,Rome,ACME GmbH\n',
    { columns: ['City'], prompt: 'Write to someone in {{city}}.' },
  );
  expect(searched).toEqual(['ACME GmbH']);
  expect(told).toHaveLength(1);
  expect(told[0]).toMatch(
    /^Write to someone in <cell>Rome<\/cell>\.\n\n<lead>\nCity: Rome\n<\/lead>\n\n<research>\nACME GmbH: about/,
  );
});

test("a person in a company's column is nobody else's hit; a company is", async () => {
  const text = 'account\nJane Roe\nACME GmbH\n';
  const [ada, bob] = [await fixture.newUser(), await fixture.newUser()];
  expect((await worked(ada, text)).searched).toEqual(['ACME GmbH', 'Jane Roe']);
  expect((await worked(ada, text)).searched).toEqual([]);
  expect((await worked(bob, text)).searched).toEqual(['Jane Roe']);
});

test('a deleted job leaves nothing in Redis that only its user asked for', async () => {
  const [ada, bob] = [await fixture.newUser(), await fixture.newUser()];
  const first = await worked(ada, 'account\nJane Roe\nACME GmbH\nAnvils Ltd\n');
  await worked(bob, 'account\nACME GmbH\n');
  const keys = async () => (await fixture.ctx.redis.keys('rowloom:research:*')).toSorted();
  expect(await keys()).toHaveLength(3 + 2);
  await deleteJob(fixture.ctx, { userId: ada, jobId: first.jobId });
  expect(await keys()).toEqual([
    expect.stringMatching(/:c:[0-9a-f]{64}$/),
    expect.stringMatching(/:job:/),
  ]);
  expect((await worked(bob, 'account\nACME GmbH\nAnvils Ltd\n')).searched).toEqual(['Anvils Ltd']);
});

test('a job is deleted though Redis hangs', async () => {
  const ada = await fixture.newUser();
  const { jobId } = await worked(ada, 'account\nJane Roe\n');
  redis.faults.add({ kind: 'latency', ms: 10_000 });
  await deleteJob(fixture.ctx, { userId: ada, jobId });
  await expect(deleteJob(fixture.ctx, { userId: ada, jobId })).rejects.toMatchObject({
    code: 'not_found',
  });
});

test('what a chunk found while its job was deleted is not kept', async () => {
  const ada = await fixture.newUser();
  const { job } = await createJob(fixture.ctx, { userId: ada, filename: 'leads.csv' });
  fixture.published = [];
  await fixture.upload(ada, job.id, 'account\nJane Roe\n');
  const answers = providerFetch();
  const slots = slotsOf(async (url, init, timeout, read) => {
    if (!url.endsWith('/search')) await deleteJob(fixture.ctx, { userId: ada, jobId: job.id });
    return answers(url, init, timeout, read);
  });
  const outcomes = [];
  for (const message of fixture.messages())
    outcomes.push(await processChunk(fixture.ctx, message, slots));
  expect(outcomes).toMatchObject([{ outcome: 'gone' }]);
  expect(await fixture.ctx.redis.keys('rowloom:research:*:[cu]:*')).toEqual([]);
});
