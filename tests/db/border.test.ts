import { getTableColumns, getTableName, is } from 'drizzle-orm';
import { PgTable } from 'drizzle-orm/pg-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { cancelJob } from '../../functions/jobs/cancel-job.ts';
import { processChunk } from '../../functions/processing/process-chunk.ts';
import * as schema from '../../schema.ts';
import { aroundCalls } from '../support/around-calls.ts';
import { JobFixture, providers } from '../support/job-fixture.ts';

let fixture: JobFixture;
beforeAll(async () => {
  fixture = await JobFixture.open();
});
afterAll(() => fixture.close());

const snakeCase = (name: string): string =>
  name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

test('tables are as schema.ts says, each column under its name in snake case: what `JsonRow` builds on', async () => {
  const columns = await fixture.query<{ line: string }>(
    `select format('%s.%s %s%s', c.relname, a.attname, format_type(a.atttypid, null),
           case when a.attnotnull then ' not null' else '' end) as line
       from pg_attribute a join pg_class c on c.oid = a.attrelid
       where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and a.attnum > 0 and not a.attisdropped`,
  );
  const said = Object.values(schema)
    .filter((table) => is(table, PgTable))
    .flatMap((table) =>
      Object.entries(getTableColumns(table)).map(([key, column]) => {
        expect(column.name).toBe(snakeCase(key));
        const notNull = column.notNull ? ' not null' : '';
        return `${getTableName(table)}.${column.name} ${column.getSQLType().replace(' collate "C"', '')}${notNull}`;
      }),
    );
  expect(columns.map(({ line }) => line).toSorted()).toEqual(said.toSorted());
});

test('an answer of another shape is an error where it enters, not an undefined later', async () => {
  const { userId, jobId } = await fixture.running(3);
  const text = `create or replace function rowloom.job_cancel_begin(p_job uuid, p_user uuid) returns jsonb
    language sql as $$ select '{"attempt": 1, "working": 2}'::jsonb $$`;
  const [before] = await fixture.query<{ definition: string }>(
    `select pg_get_functiondef('rowloom.job_cancel_begin'::regproc) as definition`,
  );
  await fixture.query(text);
  try {
    await expect(cancelJob(fixture.ctx, { userId, jobId })).rejects.toThrow(/atWork/);
  } finally {
    await fixture.query(before?.definition ?? '');
  }
  expect(await cancelJob(fixture.ctx, { userId, jobId })).toMatchObject({ status: 'cancelled' });
});

test.each([
  ['XX000', 1],
  ['57014', 3],
])('a commit that fails with %s is made %i times', async (code, times) => {
  const { messages } = await fixture.running(3);
  const [message] = messages;
  if (!message) throw new Error('nothing was published');
  let commits = 0;
  const db = aroundCalls(fixture.ctx.db, async ({ name }, next) => {
    if (name !== 'chunk_commit') return next();
    commits += 1;
    return fixture.ctx.db.rows(
      `do $$ begin raise exception using errcode = '${code}', message = 'cache lookup failed for function 1'; end $$`,
    );
  });
  await expect(processChunk({ ...fixture.ctx, db }, message, providers())).rejects.toThrow();
  expect(commits).toBe(times);
});
