import { drizzle } from 'drizzle-orm/node-postgres';
import { migrate as applyMigrations } from 'drizzle-orm/node-postgres/migrator';
import { readdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import pg from 'pg';

const folder = fileURLToPath(new URL('./migrations', import.meta.url));
const functionsFolder = fileURLToPath(new URL('./functions', import.meta.url));
/** Any number, the same for every migrator: two deployments at once take turns. */
const lockKey = 7_291_133;

type Journal = { entries: { tag: string; when: number }[] };

const readJournal = async (): Promise<Journal['entries']> =>
  (JSON.parse(await readFile(`${folder}/meta/_journal.json`, 'utf8')) as Journal).entries;

async function withClient<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query('select pg_advisory_lock($1)', [lockKey]);
    return await work(client);
  } finally {
    await client.end();
  }
}

/** Numbered migrations that the database has, oldest first. */
async function appliedTags(client: pg.Client): Promise<string[]> {
  const { rows: tables } = await client.query<{ found: string | null }>(
    `select to_regclass('drizzle.__drizzle_migrations')::text as found`,
  );
  if (!tables[0]?.found) return [];
  const { rows } = await client.query<{ created_at: string }>(
    'select created_at from drizzle.__drizzle_migrations order by created_at',
  );
  const journal = await readJournal();
  return rows.map(
    (row) => journal.find((entry) => entry.when === Number(row.created_at))?.tag ?? row.created_at,
  );
}

/** The functions of `db/functions` are replaced as a whole at every migration, in one transaction. */
async function replaceFunctions(client: pg.Client): Promise<void> {
  const files = (await readdir(functionsFolder)).filter((name) => name.endsWith('.sql')).sort();
  const statements = await Promise.all(
    files.map((name) => readFile(`${functionsFolder}/${name}`, 'utf8')),
  );
  await client.query(
    `begin; drop schema if exists rowloom cascade; ${statements.join('\n')}; commit`,
  );
}

/**
 * Brings the database at `url` up to date: numbered migrations, then functions. Safe to run twice and
 * beside itself. Gives the tags that it applied.
 */
export async function migrate(url: string): Promise<string[]> {
  return withClient(url, async (client) => {
    const before = await appliedTags(client);
    await applyMigrations(drizzle(client), { migrationsFolder: folder });
    await replaceFunctions(client);
    return (await appliedTags(client)).slice(before.length);
  });
}

/** Takes the newest `steps` migrations back, each in its own transaction; gives their tags. */
export async function migrateDown(url: string, steps: number): Promise<string[]> {
  return withClient(url, async (client) => {
    const tags = (await appliedTags(client)).toReversed().slice(0, steps);
    for (const tag of tags) {
      const when = (await readJournal()).find((entry) => entry.tag === tag)?.when;
      if (when === undefined)
        throw new Error(`Migration ${tag} is not of this version; use its own.`);
      const down = await readFile(`${folder}/down/${tag}.sql`, 'utf8');
      await client.query('begin');
      try {
        await client.query('drop schema if exists rowloom cascade');
        await client.query(down);
        await client.query('delete from drizzle.__drizzle_migrations where created_at = $1', [
          when,
        ]);
        await client.query('commit');
      } catch (error) {
        await client.query('rollback');
        throw error;
      }
    }
    return tags;
  });
}

if (import.meta.main) {
  const url = process.env['DATABASE_URL'];
  if (!url) {
    console.error('DATABASE_URL is not set: say which database to migrate.');
    process.exit(2);
  }
  const down = process.argv.indexOf('--down');
  const tags =
    down < 0 ? await migrate(url) : await migrateDown(url, Number(process.argv[down + 1] ?? 1));
  console.log(
    tags.length === 0
      ? 'Nothing to do.'
      : tags.map((tag) => `${down < 0 ? 'up' : 'down'} ${tag}`).join('\n'),
  );
}
