import { afterAll, describe, expect, test } from 'vitest';
import { assertBooksHold } from '../support/ledger-invariants.ts';
import { someone, startRig } from '../support/worker.ts';
import type { Job } from '../support/worker-client.ts';
import { companies } from '../support/worker-csv.ts';
import { expectProblem } from '../support/worker-problem.ts';

const rig = await startRig();

afterAll(async () => {
  await assertBooksHold(rig.database.pool);
  await rig.close();
});

describe('creating a job', () => {
  const create = (token: string, body: object, key?: string) =>
    rig.api('/v1/jobs', {
      method: 'POST',
      token,
      body,
      headers: key === undefined ? {} : { 'idempotency-key': key },
    });
  const idOf = async (answer: Response) => {
    expect(answer.status).toBe(201);
    return ((await answer.json()) as { job: Job }).job.id;
  };

  test('the same Idempotency-Key gives the same job and says so; another request with it: 422', async () => {
    const { token } = await rig.user(someone());
    const body = { filename: 'leads.csv', prompt: 'Write to {{company}}', columns: ['company'] };
    const first = await create(token, body, 'key-1');
    expect(first.headers.get('idempotency-replayed')).toBeNull();
    const id = await idOf(first);
    const again = await create(token, body, 'key-1');
    expect(again.headers.get('idempotency-replayed')).toBe('true');
    expect(await idOf(again)).toBe(id);
    for (const other of [
      { ...body, filename: 'other.csv' },
      { ...body, prompt: 'x' },
    ])
      await expectProblem(await create(token, other, 'key-1'), 422, 'idempotency_key_reused');
    expect(await idOf(await create(token, body, 'key-2'))).not.toBe(id);
    expect(await idOf(await create(token, body))).not.toBe(id);
    const stranger = await rig.user(someone());
    expect(await idOf(await create(stranger.token, body, 'key-1'))).not.toBe(id);
  });

  test('ten calls with one key that race make one job', async () => {
    const { token } = await rig.user(someone());
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => create(token, { filename: 'a.csv' }, 'race')),
    );
    expect(new Set(await Promise.all(answers.map(idOf))).size).toBe(1);
    const replayed = answers.filter((one) => one.headers.get('idempotency-replayed') === 'true');
    expect(replayed).toHaveLength(9);
    expect((await rig.json<{ items: Job[] }>('/v1/jobs', { token })).items).toHaveLength(1);
  });

  test('a prompt that names a column the file does not have is refused, now or at the upload', async () => {
    const { token } = await rig.user(someone());
    const wrong = { filename: 'a.csv', prompt: 'Hi {{first name}}', columns: ['company'] };
    const { errors } = await expectProblem(await create(token, wrong), 422, 'invalid_request');
    expect(errors).toMatchObject([
      { field: 'prompt', message: expect.stringContaining('first name') },
    ]);
    const { id } = await rig.createJob(token, { prompt: 'Hi {{first name}}' });
    const refusal = await expectProblem(
      await rig.upload(token, id, companies(1)),
      422,
      'csv_invalid',
    );
    expect(refusal).toMatchObject({ line: 1, reason: expect.stringContaining('first name') });
    expect((await rig.upload(token, id, 'First Name\nAda\n')).status).toBe(202);
  });

  test("the list has the caller's jobs alone, newest first, in pages", async () => {
    const { token } = await rig.user(someone());
    const made: string[] = [];
    for (let i = 0; i < 5; i += 1) made.unshift((await rig.createJob(token)).id);
    type Page = { items: Job[]; nextCursor: string | null };
    const seen: string[] = [];
    let query = '?limit=2';
    for (let pages = 0; pages < 3; pages += 1) {
      const { items, nextCursor } = await rig.json<Page>(`/v1/jobs${query}`, { token });
      seen.push(...items.map(({ id }) => id));
      query = `?limit=2&cursor=${encodeURIComponent(nextCursor ?? '')}`;
      expect(nextCursor === null).toBe(pages === 2);
    }
    expect(seen).toEqual(made);
  });

  test.each([
    '2026-01-01T00:00:00Z~nonsense',
    '9999999999999999999~00000000-0000-4000-8000-000000000000',
    'x',
  ])('a cursor that is none (%s): 422', async (cursor) => {
    const { token } = await rig.user(someone());
    const answer = await rig.api(`/v1/jobs?cursor=${encodeURIComponent(cursor)}`, { token });
    await expectProblem(answer, 422, 'invalid_request');
  });
});
