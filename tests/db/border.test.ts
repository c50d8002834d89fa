import { getTableColumns, getTableName, is } from 'drizzle-orm';
import { PgTable } from 'drizzle-orm/pg-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { cancelJob } from '../../functions/jobs/cancel-job.ts';
import { processChunk } from '../../functions/jobs/process-chunk.ts';
import * as schema from '../../schema.ts';
import { aroundCalls } from '../support/around-calls.ts';
import { JobLab, providers } from '../support/job-lab.ts';

let lab: JobLab;
beforeAll(async () => {
  lab = await JobLab.open();
});
afterAll(() => lab.close());

const snakeCase = (name: string): string =>
  name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

test('tables are as schema.ts says, each column under its name in snake case: what `JsonRow` builds on', async () => {
  const columns = await lab.query<{ line: string }>(
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
        return `${getTableName(table)}.${column.name} ${column.getSQLType()}${notNull}`;
      }),
    );
  expect(columns.map(({ line }) => line).toSorted()).toEqual(said.toSorted());
});

test('an answer of another shape is an error where it enters, not an undefined later', async () => {
  const { userId, jobId } = await lab.running(3);
  const text = `create or replace function rowloom.job_cancel_begin(p_job uuid, p_user uuid) returns jsonb
    language sql as $$ select '{"attempt": 1, "working": 2}'::jsonb $$`;
  const [before] = await lab.query<{ definition: string }>(
    `select pg_get_functiondef('rowloom.job_cancel_begin'::regproc) as definition`,
  );
  await lab.query(text);
  try {
    await expect(cancelJob(lab.ctx, { userId, jobId })).rejects.toThrow(/atWork/);
  } finally {
    await lab.query(before?.definition ?? '');
  }
  expect(await cancelJob(lab.ctx, { userId, jobId })).toMatchObject({ status: 'cancelled' });
});

test.each([
  ['XX000', 1],
  ['57014', 3],
])('a commit that fails with %s is made %i times', async (code, times) => {
  const { messages } = await lab.running(3);
  const [message] = messages;
  if (!message) throw new Error('nothing was published');
  let commits = 0;
  const db = aroundCalls(lab.ctx.db, async ({ name }, next) => {
    if (name !== 'chunk_commit') return next();
    commits += 1;
    return lab.ctx.db.rows(
      `do $$ begin raise exception using errcode = '${code}', message = 'cache lookup failed for function 1'; end $$`,
    );
  });
  await expect(processChunk({ ...lab.ctx, db }, message, providers())).rejects.toThrow();
  expect(commits).toBe(times);
});
