import { neon, neonConfig, Pool } from '@neondatabase/serverless';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { startNeonProxy } from '../../local/neon-proxy/index.ts';
import { createDatabase } from '../support/database.ts';

const database = await createDatabase();
const proxy = await startNeonProxy();
const sql = neon(database.url);

beforeAll(async () => {
  neonConfig.fetchEndpoint = () => `${proxy.url}/sql`;
  neonConfig.wsProxy = (host, port) => `127.0.0.1:${proxy.port}/v2?address=${host}:${port}`;
  neonConfig.useSecureWebSocket = false;
  neonConfig.pipelineTLS = false;
  neonConfig.pipelineConnect = false;
  await sql`create table things (id int primary key, name text)`;
});
beforeEach(async () => {
  proxy.faults.clear();
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

describe('callers and faults', () => {
  test('a caller that goes away leaves nothing waiting', async () => {
    const holder = await database.pool.connect();
    await holder.query('begin');
    await holder.query('select from things for update');
    const leave = new AbortController();
    const fetchOptions = { signal: leave.signal };
    const batch = [sql`insert into things values (2, 'two')`, sql`delete from things where id = 1`];
    const waiting = sql.transaction(batch, { fetchOptions });
    const refused = expect(waiting).rejects.toThrow('aborted');
    await vi.waitFor(async () => expect(await busy()).toHaveLength(2));
    leave.abort();
    await refused;
    await vi.waitFor(async () => expect(await busy()).toHaveLength(1));
    await holder.query('commit');
    holder.release();
    expect(await names()).toEqual(['one']);
  });

  test('a connection ended by the server does not end the proxy', async () => {
    await sql`select 1`;
    await database.pool.query(`select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and application_name like '%neondatabase%'`);
    await vi.waitFor(async () => expect(await sql`select 1 as a`).toEqual([{ a: 1 }]));
    const killed = sql`select pg_terminate_backend(pg_backend_pid())`;
    await expect(killed).rejects.toMatchObject({ code: '57P01' });
    expect(await sql`select 2 as a`).toEqual([{ a: 2 }]);
  });

  test('drop: after, the row is there; before, it is not', async () => {
    proxy.faults.add({ kind: 'drop', when: 'after', match: 'POST /sql', times: 1 });
    await expect(sql`insert into things values (2, 'two')`).rejects.toThrow('fetch failed');
    expect(await names()).toEqual(['one', 'two']);
    proxy.faults.add({ kind: 'drop', times: 1 });
    await expect(sql`insert into things values (3, 'three')`).rejects.toThrow('fetch failed');
    expect(await names()).toEqual(['one', 'two']);
    expect(proxy.stats).toMatchObject({ requests: 2, statements: 1 });
  });

  test('status and latency, switched and counted over HTTP', async () => {
    const call = (method: string, path: string, body?: unknown) =>
      fetch(`${proxy.url}/_local${path}`, { method, body: JSON.stringify(body) ?? null });
    await call('POST', '/faults', {
      kind: 'status',
      status: 503,
      body: { message: 'x' },
      times: 1,
    });
    await call('POST', '/faults', { kind: 'latency', ms: 120 });
    const start = performance.now();
    await expect(sql`truncate things`).rejects.toThrow('HTTP status 503): {"message":"x"}');
    expect(performance.now() - start).toBeGreaterThan(110);
    expect(await names()).toEqual(['one']);
    expect((await call('DELETE', '/faults')).status).toBe(204);
    const stats = { requests: 1, statements: 0, transactions: 0, tunnels: 0 };
    expect(await (await call('GET', '/stats')).json()).toEqual(stats);
    expect((await call('POST', '/stats/reset')).status).toBe(204);
    expect(proxy.stats.requests).toBe(0);
  });
});

describe('over WebSocket', () => {
  test('an interactive transaction, and nothing is left when the pool ends', async () => {
    const pool = new Pool({ connectionString: database.url });
    const client = await pool.connect();
    await client.query('begin');
    const { rows } = await client.query('select id from things for update');
    await client.query("insert into things values ($1, 'two')", [rows[0].id + 1]);
    expect(await names()).toEqual(['one']);
    await client.query('commit');
    const long = 'ä'.repeat(1_000_000);
    const read = await client.query('select name, $1::text as echo from things where id = 2', [
      long,
    ]);
    expect(read.rows).toEqual([{ name: 'two', echo: long }]);
    await client.query('begin');
    await client.query('delete from things');
    client.release();
    await pool.end();
    await vi.waitFor(async () => expect(await busy()).toEqual([]));
    expect(await names()).toHaveLength(2);
    expect(proxy.stats.tunnels).toBe(1);
  });

  test('leads to loopback only, and can be refused', async () => {
    const opens = (address: string) =>
      new Promise((resolve) => {
        const socket = new WebSocket(`ws://127.0.0.1:${proxy.port}/v2?address=${address}`);
        socket.onopen = () => resolve(true);
        socket.onerror = () => resolve(false);
      });
    expect(await opens('192.0.2.1:5432')).toBe(false);
    expect(await opens('127.0.0.1:1')).toBe(true);
    proxy.faults.add({ kind: 'status', status: 503, match: 'GET /v2' });
    expect(await opens('127.0.0.1:1')).toBe(false);
  });
});
