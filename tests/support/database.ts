import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { Client, DatabaseError, Pool, types } from 'pg';
import { inject } from 'vitest';
import { released } from '../../db/call.ts';
import { recordCalls } from './called-functions.ts';

/** A migrated database of a test's own. */
export type TestDatabase = {
  /** Connection string, for Postgres itself and for the Neon proxy alike. */
  url: string;
  /** Of the Neon proxy that serves it. */
  neonProxyUrl: string;
  /** Straight to Postgres, for assertions; connects when first used. */
  readonly pool: Pool;
  drop: () => Promise<void>;
};

/** Any number that nothing else in the server locks. */
const lockKey = 5_114_207;
const inUse = '55006';

async function asAdmin<T>(work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client(inject('postgresUrl'));
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** Copies the template, one copy at a time: a template in use cannot be copied. */
async function copyTemplate(name: string): Promise<void> {
  await asAdmin(async (client) => {
    await client.query('select pg_advisory_lock($1)', [lockKey]);
    for (let tries = 1; ; tries += 1) {
      try {
        await client.query(`create database ${name} template ${inject('templateDatabase')}`);
        return;
      } catch (error) {
        const isInUse = error instanceof DatabaseError && error.code === inUse;
        if (!isInUse || tries === 5) throw error;
        await pause(100);
      }
    }
  });
}

/** Credits are bigint, and far below 2^53. */
const getTypeParser: typeof types.getTypeParser = (oid, format) =>
  oid === types.builtins.INT8 ? Number : types.getTypeParser(oid, format);

/**
 * Texts may name `rowloom.…`, as `db.rows` takes them. `drop` may overtake connections that are closing;
 * their last words are of no interest.
 */
function directPool(url: string): Pool {
  const pool = new Pool({ connectionString: url, max: 40, types: { getTypeParser } });
  pool.on('connect', (client) => {
    client.on('error', () => undefined);
    const query = client.query.bind(client) as (...args: unknown[]) => unknown;
    const queryReleased = (text: unknown, ...rest: unknown[]): unknown =>
      query(typeof text === 'string' ? released(text) : text, ...rest);
    Object.assign(client, { query: queryReleased });
  });
  pool.on('error', () => undefined);
  return pool;
}

/** Makes a migrated, empty database; call `drop` when done, for example in `afterAll`. */
export async function createDatabase(): Promise<TestDatabase> {
  const name = `test_${randomBytes(6).toString('hex')}`;
  await copyTemplate(name);
  const url = inject('postgresUrl').replace(/\/[^/]*$/, `/${name}`);
  let pool: Pool | undefined;
  return {
    url,
    neonProxyUrl: inject('neonUrl'),
    get pool() {
      return (pool ??= directPool(url));
    },
    drop: async () => {
      await pool?.end();
      await recordCalls(inject('postgresUrl'), url);
      // The proxy keeps idle connections of its own: they go by force.
      await asAdmin((client) => client.query(`drop database if exists ${name} with (force)`));
    },
  };
}
