import type pg from 'pg';
import type { Release } from './functions.ts';

/** As many versions of the Worker can be live: the new one, the one before, and one to go back to. */
const kept = 3;

/** Schemas of released functions, the newest first: each says in its comment when it was released. */
export async function releasesOf(client: pg.Client): Promise<string[]> {
  const { rows } = await client.query<{ schema: string }>(
    `select nspname as schema from pg_namespace where nspname ~ '^rowloom_[0-9a-f]{10}$'
       order by obj_description(oid, 'pg_namespace') desc nulls last`,
  );
  return rows.map(({ schema }) => schema);
}

/** Does all of `work` or nothing. */
export async function transaction<T>(client: pg.Client, work: () => Promise<T>): Promise<T> {
  await client.query('begin');
  try {
    const result = await work();
    await client.query('commit');
    return result;
  } catch (error) {
    await client.query('rollback');
    throw error;
  }
}

/** Bodies are read once all functions are there, so that their order does not matter. */
const create = ({ schema, sql }: Release): string => `
  create schema ${schema};
  set local check_function_bodies = off;
  ${sql}
  set local check_function_bodies = on;
  do $$ declare f record; begin
    for f in select p.oid, l.lanname from pg_proc p join pg_language l on l.oid = p.prolang
        where p.pronamespace = '${schema}'::regnamespace loop
      if f.lanname = 'sql' then perform pg_catalog.fmgr_sql_validator(f.oid);
      elsif f.lanname = 'plpgsql' then perform plpgsql_validator(f.oid); end if;
    end loop;
  end $$;`;

const stamp = (schema: string): string => `
  do $$ begin execute format('comment on schema ${schema} is %L',
    'released ' || to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')); end $$`;

/**
 * Makes `release` the newest: its schema is created beside those that live Workers call, or found and
 * dated anew. Older ones than the newest three go. Gives what was done, in words, nothing for nothing.
 */
export async function releaseFunctions(client: pg.Client, release: Release): Promise<string[]> {
  const { schema, signatures } = release;
  const before = await releasesOf(client);
  if (before[0] === schema) return [];
  const isThere = before.includes(schema);
  const pruned = [schema, ...before.filter((other) => other !== schema)].slice(kept);
  await transaction(client, async () => {
    if (!isThere) await client.query(create(release));
    await client.query(stamp(schema));
    for (const old of pruned) await client.query(`drop schema ${old} cascade`);
  });
  return [
    `released functions ${schema} (${isThere ? 'again' : signatures.length})`,
    ...pruned.map((old) => `dropped functions ${old}`),
  ];
}
