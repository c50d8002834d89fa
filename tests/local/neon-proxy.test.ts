import { neon, neonConfig } from '@neondatabase/serverless';
import { eq } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/neon-http';
import { integer, pgTable, text } from 'drizzle-orm/pg-core';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startNeonProxy } from '../../local/neon-proxy/index.ts';
import { createDatabase } from '../support/database.ts';

const database = await createDatabase();
const proxy = await startNeonProxy({ maxResponseBytes: 100_000, maxRequestBytes: 200_000 });
const sql = neon(database.url);
const things = pgTable('things', { id: integer('id').primaryKey(), name: text('name') });

beforeAll(async () => {
  neonConfig.fetchEndpoint = () => `${proxy.url}/sql`;
  await sql`create table things (
    id int primary key, name text constraint things_name_key unique deferrable initially immediate)`;
});
beforeEach(async () => {
  await sql`truncate things`;
  await sql`insert into things values (1, 'one')`;
  Object.assign(proxy.stats, { requests: 0, statements: 0, transactions: 0, tunnels: 0 });
});
afterAll(async () => {
  await proxy.close();
  await database.drop();
});

const names = async (): Promise<unknown[]> =>
  (await database.pool.query('select name from things order by id')).rows.map((row) => row.name);

/** What Postgres itself knows of the proxy's connections to this database, other than idle ones. */
const busy = async (): Promise<unknown[]> =>
  (
    await database.pool.query(`select state, query from pg_stat_activity
      where datname = current_database() and state <> 'idle' and pid <> pg_backend_pid()`)
  ).rows;

async function post(body: unknown, headers: Record<string, string> = {}) {
  const response = await fetch(`${proxy.url}/sql`, {
    method: 'POST',
    body: typeof body === 'string' ? body : JSON.stringify(body),
    headers: { 'Neon-Connection-String': database.url, ...headers },
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

describe('one statement', () => {
  test('gives every type as the driver parses it', async () => {
    const [row] = await sql`select ${'9007199254740993'}::int8 as big, 1.50::numeric as exact,
      ${'{"a": 1}'}::json as plain, ${{ b: [2] }}::jsonb as binary,
      ${Buffer.from([0, 255])}::bytea as bytes, '2026-01-02T03:04:05.678Z'::timestamptz as at,
      ${[1, 2]}::int[] as numbers, ${['a,"b', 'c\\d']}::text[] as texts, ${null}::text as nothing,
      ${true}::bool as yes, 'ü€😀' as wide`;
    expect(row).toEqual({
      big: '9007199254740993',
      exact: '1.50',
      plain: { a: 1 },
      binary: { b: [2] },
      bytes: Buffer.from([0, 255]),
      at: new Date('2026-01-02T03:04:05.678Z'),
      numbers: [1, 2],
      texts: ['a,"b', 'c\\d'],
      nothing: null,
      yes: true,
      wide: 'ü€😀',
    });
  });

  test('describes its result, in rows or arrays', async () => {
    const full = await sql.query('select id, name from things', [], { fullResults: true });
    expect(full).toMatchObject({ command: 'SELECT', rowCount: 1, rowAsArray: false });
    expect(full.rows).toEqual([{ id: 1, name: 'one' }]);
    expect(full.fields[1]).toMatchObject({ name: 'name', dataTypeID: 25, dataTypeSize: -1 });
    expect(await sql.query('select id, name from things', [], { arrayMode: true })).toEqual([
      [1, 'one'],
    ]);
    const inserted = await post({ query: "insert into things values (2, 'two')" });
    expect(inserted.body).toMatchObject({ command: 'INSERT', rowCount: 1, rows: [], fields: [] });
    expect((await post({ query: 'create temp table t ()' })).body['rowCount']).toBeNull();
  });

  test('writes JSON values when raw text is not asked for', async () => {
    const query = `select 1::int4 as i, true as b, '{"x":[null]}'::jsonb as j, 1::int8 as big,
      array[[1,2],[3,null]]::int4[] as a, array['q"\\', 'NULL', null] as t, 'NaN'::float8 as f`;
    const values = { i: 1, b: true, j: { x: [null] }, big: '1', f: 'NaN' };
    const arrays = {
      a: [
        [1, 2],
        [3, null],
      ],
      t: ['q"\\', 'NULL', null],
    };
    expect((await post({ query })).body['rows']).toEqual([{ ...values, ...arrays }]);
    expect((await post({ query, arrayMode: true })).body['rowAsArray']).toBe(true);
  });

  test('carries every field of an error, and is not run twice', async () => {
    await expect(sql`insert into things values (1, 'uno')`).rejects.toMatchObject({
      name: 'NeonDbError',
      code: '23505',
      constraint: 'things_pkey',
      detail: 'Key (id)=(1) already exists.',
      schema: 'public',
      table: 'things',
      severity: 'ERROR',
      routine: '_bt_check_unique',
    });
    await expect(sql`select nope`).rejects.toMatchObject({ code: '42703', position: '8' });
    await expect(sql.query('select 1; select 2')).rejects.toMatchObject({ code: '42601' });
    await expect(sql`copy things from stdin`).rejects.toMatchObject({ code: '57014' });
    expect(proxy.stats).toEqual({ requests: 4, statements: 4, transactions: 0, tunnels: 0 });
  });

  test('sees a changed table although its plan is kept', async () => {
    await sql`create table shapes (a int)`;
    const shape = () => sql.transaction([sql`insert into shapes values (1)`, sql`table shapes`]);
    for (const column of ['b', 'c', 'd']) {
      expect((await shape())[1]?.[0]).not.toHaveProperty(column);
      await sql.query(`alter table shapes add ${column} int`);
      expect((await shape())[1]?.[0]).toHaveProperty(column, null);
      await sql`deallocate all`;
    }
    expect(await sql`select count(*)::int as n from shapes`).toEqual([{ n: 6 }]);
  });

  test('leaves no transaction open', async () => {
    await sql`begin`;
    expect(await busy()).toEqual([]);
  });
});

describe('a batch', () => {
  test.each([
    ['ReadUncommitted', 'read uncommitted'],
    ['ReadCommitted', 'read committed'],
    ['RepeatableRead', 'repeatable read'],
    ['Serializable', 'serializable'],
  ] as const)('runs at %s in one request', async (isolationLevel, shown) => {
    const queries = [sql`show transaction_isolation`, sql`show transaction_deferrable`];
    const modes = { isolationLevel, deferrable: true, readOnly: true } as const;
    expect(await sql.transaction(queries, modes)).toEqual([
      [{ transaction_isolation: shown }],
      [{ transaction_deferrable: 'on' }],
    ]);
    expect(proxy.stats).toEqual({ requests: 1, statements: 2, transactions: 1, tunnels: 0 });
  });

  test('refuses to write when read only', async () => {
    const writing = sql.transaction([sql`delete from things`], { readOnly: true });
    await expect(writing).rejects.toMatchObject({ code: '25006' });
    expect(await names()).toEqual(['one']);
  });

  test('is undone as a whole, by a statement or by the commit', async () => {
    const two = sql`insert into things values (2, 'two')`;
    await expect(sql.transaction([two, sql`select 1/0`, two])).rejects.toMatchObject({
      code: '22012',
    });
    const late = [sql`set constraints all deferred`, sql`insert into things values (3, 'one')`];
    await expect(sql.transaction(late)).rejects.toMatchObject({ constraint: 'things_name_key' });
    expect(await names()).toEqual(['one']);
    expect(await busy()).toEqual([]);
  });
});

describe('refusals', () => {
  test('507 for an answer over the limit, and its batch is undone', async () => {
    const message = 'response is too large (max is 100000 bytes)';
    const huge = sql`select repeat('x', 60000) as x from generate_series(1, 2)`;
    await expect(huge).rejects.toThrow(`HTTP status 507): {"message":"${message}"`);
    const quoted = sql`select repeat('"', 60000) as x`;
    const batch = sql.transaction([sql`insert into things values (2, 'two')`, quoted]);
    await expect(batch).rejects.toThrow(message);
    expect(await names()).toEqual(['one']);
  });

  test.each([
    [413, 'request is too large (max is 200000 bytes)', 'x'.repeat(200_001), {}],
    [400, 'could not parse the HTTP request body', '{', {}],
    [400, 'could not parse the HTTP request body', '{"params":[]}', {}],
    [400, 'could not parse the HTTP request body', '{"queries":[{}]}', {}],
    [400, 'invalid isolation level', '{"queries":[]}', { 'Neon-Batch-Isolation-Level': 'Chaos' }],
  ])('%i %s', async (status, message, body, headers) => {
    const answer = await post(body, headers);
    expect(answer.status).toBe(status);
    expect(answer.body['message']).toContain(message);
    expect(proxy.stats.statements).toBe(0);
  });

  test.each([
    [400, '', 'missing database name', (url: URL) => (url.pathname = '')],
    [400, '', 'loopback only', (url: URL) => (url.hostname = 'db.example.com')],
    [400, '', 'password authentication failed', (url: URL) => (url.password = 'wrong')],
    [500, '3D000', 'does not exist', (url: URL) => (url.pathname = '/nowhere')],
    [500, '', 'error connecting to server', (url: URL) => (url.port = '1')],
  ])('%i %s %s', async (status, code, message, change) => {
    const url = new URL(database.url);
    change(url);
    const headers = { 'Neon-Connection-String': url.href };
    const answer = await post({ query: 'select 1' }, headers);
    expect(answer).toMatchObject({ status, body: { code } });
    expect(answer.body['message']).toContain(message);
  });

  test('a request without a connection string', async () => {
    const response = await fetch(`${proxy.url}/sql`, { method: 'POST', body: '{"query":""}' });
    expect(response.status).toBe(400);
    expect(await response.text()).toContain('invalid header: neon-connection-string');
  });
});

test('drizzle selects and batches', async () => {
  const db = drizzle(sql);
  expect(await db.select().from(things)).toEqual([{ id: 1, name: 'one' }]);
  const [inserted, , found] = await db.batch([
    db.insert(things).values({ id: 2, name: null }).returning(),
    db.update(things).set({ name: 'uno' }).where(eq(things.id, 1)),
    db.select({ name: things.name }).from(things).orderBy(things.id),
  ]);
  expect(inserted).toEqual([{ id: 2, name: null }]);
  expect(found).toEqual([{ name: 'uno' }, { name: null }]);
  expect(proxy.stats).toMatchObject({ requests: 2, transactions: 1 });
});
