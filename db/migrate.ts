import { drizzle } from 'drizzle-orm/node-postgres';
import { migrate as applyMigrations } from 'drizzle-orm/node-postgres/migrator';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { readRelease, type Release } from './functions.ts';
import { isFresh } from './release.ts';
import { releaseFunctions, releasesOf, transaction } from './releases.ts';

const folder = fileURLToPath(new URL('./migrations', import.meta.url));
/** Any number, the same for every migrator: two deployments at once take turns. */
const lockKey = 7_291_133;

type Journal = { entries: { tag: string; when: number }[] };

const readJournal = async (): Promise<Journal['entries']> =>
  (JSON.parse(await readFile(`${folder}/meta/_journal.json`, 'utf8')) as Journal).entries;

async function withClient<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  // A connection that is lost is told by the query that it cuts; unheard, this would end the process.
  client.on('error', () => undefined);
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

/** The SQL beside the verbs; throws when the Worker, built now, would name another version of it. */
async function ownRelease(): Promise<Release> {
  const own = await readRelease();
  if (!(await isFresh(own)))
    throw new Error(
      'db/functions.generated.ts is not of the SQL in functions/: npm run db:release',
    );
  return own;
}

/**
 * Brings the database at `url` up to date: numbered migrations, then the functions of this version
 * beside those of the versions before. Safe to run twice, beside itself and under traffic. Gives what
 * it did, a line each; nothing for nothing.
 */
export async function migrate(url: string, functions?: Release): Promise<string[]> {
  const toRelease = functions ?? (await ownRelease());
  return withClient(url, async (client) => {
    const before = await appliedTags(client);
    await applyMigrations(drizzle(client), { migrationsFolder: folder });
    const applied = (await appliedTags(client)).slice(before.length);
    return [...applied.map((tag) => `up ${tag}`), ...(await releaseFunctions(client, toRelease))];
  });
}

/** Releases whose functions take or return rows of a table that `error` says is still needed by them. */
const holdersIn = (error: unknown): string[] =>
  error instanceof pg.DatabaseError && error.code === '2BP01'
    ? [...new Set(error.detail?.match(/\browloom_[0-9a-f]{10}(?=\.)/g))]
    : [];

/** Takes one migration back in one transaction; gives the releases that went with its tables. */
async function takeBack(client: pg.Client, tag: string): Promise<string[]> {
  const when = (await readJournal()).find((entry) => entry.tag === tag)?.when;
  if (when === undefined) throw new Error(`Migration ${tag} is not of this version; use its own.`);
  const down = await readFile(`${folder}/down/${tag}.sql`, 'utf8');
  const attempt = (dropped: string[]): Promise<string[]> =>
    transaction(client, async () => {
      for (const schema of dropped) await client.query(`drop schema ${schema} cascade`);
      await client.query(down);
      await client.query('delete from drizzle.__drizzle_migrations where created_at = $1', [when]);
      return dropped;
    });
  // Postgres names the functions that are in the way, at most a hundred at a time.
  for (let dropped: string[] = []; ;) {
    try {
      return await attempt(dropped);
    } catch (error) {
      const holders = holdersIn(error);
      if (holders.length === 0) throw error;
      dropped = [...dropped, ...holders];
    }
  }
}

/**
 * Takes the newest `steps` migrations back, each in its own transaction, and leaves the functions that
 * were released; those that take or return rows of a table that goes cannot stay. Gives what it did, a
 * line each.
 */
export async function migrateDown(url: string, steps: number): Promise<string[]> {
  return withClient(url, async (client) => {
    const done: string[] = [];
    for (const tag of (await appliedTags(client)).toReversed().slice(0, steps)) {
      const dropped = await takeBack(client, tag);
      done.push(`down ${tag}`, ...dropped.map((schema) => `dropped functions ${schema}`));
    }
    const left = done.length > 0 ? await releasesOf(client) : [];
    return [...done, ...left.map((schema) => `kept functions ${schema}`)];
  });
}

if (import.meta.main) {
  const url = process.env['DATABASE_URL'];
  if (!url) {
    console.error('DATABASE_URL is not set: say which database to migrate.');
    process.exit(2);
  }
  const down = process.argv.indexOf('--down');
  const lines =
    down < 0 ? await migrate(url) : await migrateDown(url, Number(process.argv[down + 1] ?? 1));
  console.log(lines.length === 0 ? 'Nothing to do.' : lines.join('\n'));
}
