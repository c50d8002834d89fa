import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { functionsSchema } from '../../db/functions.generated.ts';
import { readRelease } from '../../db/functions.ts';
import { migrate, migrateDown } from '../../db/migrate.ts';
import { ensureUser } from '../../functions/users/ensure.ts';
import { testCtx } from '../support/ctx.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { ourRelease, releaseOf } from '../support/releases.ts';

let database: TestDatabase;
beforeEach(async () => {
  database = await createDatabase();
});
afterEach(() => database.drop());

const { signatures } = await readRelease();

const released = async (): Promise<string[]> => {
  const { rows } = await database.pool.query<{ name: string }>(
    `select nspname as name from pg_namespace where nspname like 'rowloom%' order by 1`,
  );
  return rows.map(({ name }) => name);
};

const command = async (...args: string[]): Promise<string> => {
  const env = { ...process.env, DATABASE_URL: database.url };
  const { stdout } = await promisify(execFile)(process.execPath, ['db/migrate.ts', ...args], {
    env,
  });
  return stdout.trim();
};

test('under traffic no request fails: the old version answers while newer ones are released', async () => {
  const ctx = testCtx(database);
  const failures: unknown[] = [];
  let [answers, isOver] = [0, false];
  const customer = async (number: number): Promise<void> => {
    for (let call = 0; !isOver; call += 1) {
      const who = { externalId: `${number}-${call}`, email: null, emailVerified: false };
      await ensureUser(ctx, who).then(
        () => (answers += 1),
        (error: unknown) => failures.push(error),
      );
    }
  };
  const customers = Array.from({ length: 8 }, (_, number) => customer(number));
  for (const version of [1, 2]) {
    const newer = await ourRelease(version);
    const before = answers;
    const lines = await migrate(database.url, newer);
    expect(lines).toEqual([`released functions ${newer.schema} (${signatures.length + 1})`]);
    expect(answers).toBeGreaterThan(before);
    const { rows } = await database.pool.query(`select ${newer.schema}.version() as version`);
    expect(rows).toEqual([{ version }]);
  }
  // A roll-back: the old version is the newest again.
  expect(await migrate(database.url)).toEqual([`released functions ${functionsSchema} (again)`]);
  isOver = true;
  await Promise.all(customers);
  expect(failures).toEqual([]);
  const { rows } = await database.pool.query('select count(*)::int as users from users');
  expect(rows).toEqual([{ users: answers }]);
});

test('the newest three stay; one that is used again is the newest', async () => {
  const [a, b, c] = await Promise.all([1, 2, 3].map(ourRelease));
  if (!a || !b || !c) throw new Error('unreachable');
  await migrate(database.url, a);
  await migrate(database.url, b);
  expect(await released()).toEqual([functionsSchema, a.schema, b.schema].toSorted());
  expect(await migrate(database.url)).toEqual([`released functions ${functionsSchema} (again)`]);
  expect(await migrate(database.url, c)).toEqual([
    `released functions ${c.schema} (${signatures.length + 1})`,
    `dropped functions ${a.schema}`,
  ]);
  expect(await released()).toEqual([functionsSchema, b.schema, c.schema].toSorted());
});

test('two at once release once', async () => {
  const next = await ourRelease(1);
  const lines = await Promise.all([migrate(database.url, next), migrate(database.url, next)]);
  expect(lines.flat()).toEqual([`released functions ${next.schema} (${signatures.length + 1})`]);
});

test('the command says what it did, and nothing only when it did nothing', async () => {
  expect(await command()).toBe('Nothing to do.');
  const down = (await command('--down', '1')).split('\n');
  const { rows } = await database.pool.query(`select to_regclass('users') is not null as kept`);
  const [{ kept }] = rows as [{ kept: boolean }];
  expect(down).toEqual([
    expect.stringMatching(/^down \d{4}_/),
    `${kept ? 'kept' : 'dropped'} functions ${functionsSchema}`,
  ]);
  const up = (await command()).split('\n');
  expect(up[0]).toBe(down[0]?.replace('down', 'up'));
  expect(up).toHaveLength(kept ? 1 : 2);
  expect(await command()).toBe('Nothing to do.');
  expect(await command('--down', '100')).toContain(`\ndropped functions ${functionsSchema}`);
  expect(await command('--down', '1')).toBe('Nothing to do.');
  expect(await command()).toMatch(
    new RegExp(`^(up .*\\n)+released functions ${functionsSchema} \\(${signatures.length}\\)$`),
  );
});

test('after a way down, functions of a release work as far as its tables are there', async () => {
  const plain = await releaseOf({
    'one.sql': `create function rowloom.one() returns integer language sql as 'select 1';`,
  });
  await migrate(database.url, plain);
  const lines = await migrateDown(database.url, 100);
  expect(lines.slice(-2)).toEqual([
    `dropped functions ${functionsSchema}`,
    `kept functions ${plain.schema}`,
  ]);
  const { rows } = await database.pool.query(`select ${plain.schema}.one()`);
  expect(rows).toEqual([{ one: 1 }]);
});

test('order of files does not matter: all bodies are read once all is there', async () => {
  const any = await releaseOf({
    'a.sql': `create function rowloom.a(p rowloom.pair) returns integer language sql as 'select rowloom.z(p.one)';`,
    'z.sql': `create function rowloom.z(p integer) returns integer language sql as 'select p + 1';`,
    'types.sql': 'create type rowloom.pair as (one integer, two integer);',
  });
  await migrate(database.url, any);
  const { rows } = await database.pool.query(`select ${any.schema}.a(row(1, 2)) as two`);
  expect(rows).toEqual([{ two: 2 }]);
});

test.each([
  ['a column that is not there', `language sql as 'select no_such_column from users'`],
  ['PL/pgSQL that cannot be read', `language plpgsql as 'begin retrun 1; end'`],
])('a body with %s is not released, and leaves nothing', async (_, body) => {
  const broken = await releaseOf({
    'broken.sql': `create function rowloom.broken() returns integer ${body};`,
  });
  await expect(migrate(database.url, broken)).rejects.toThrow(/no_such_column|retrun/);
  expect(await released()).toEqual([functionsSchema]);
  expect(await migrate(database.url)).toEqual([]);
});

/** As Postgres writes types, and as the files do. */
const written: Record<string, string> = { 'timestamp with time zone': 'timestamptz' };

test('what is read from the SQL is what Postgres knows of every function', async () => {
  const { rows } = await database.pool.query<{
    name: string;
    names: string[];
    types: string[];
    defaults: number;
    result: string;
  }>(
    `select proname as name, pronargdefaults as defaults,
         coalesce(proargnames[1:pronargs], '{}') as names,
         array(select format_type(t, null) from unnest(proargtypes) with ordinality a (t, n) order by n) as types,
         case when prokind = 'f' then pg_get_function_result(oid) end as result
       from pg_proc where pronamespace = $1::regnamespace order by proname collate "C"`,
    [functionsSchema],
  );
  const plain = (type: string): string =>
    (written[type] ?? type).replace(`${functionsSchema}.`, 'rowloom.').toLowerCase();
  expect(
    signatures.map(({ name, parameters, returns }) => ({
      name,
      parameters: parameters.map((one) => `${one.name} ${one.type}`),
      defaults: parameters.filter((one) => one.default !== undefined).length,
      returns,
    })),
  ).toEqual(
    rows.map(({ name, names, types, defaults, result }) => ({
      name,
      parameters: names.map((one, i) => `${one} ${plain(types[i] ?? '')}`),
      defaults,
      returns: plain(result).replace(/^table\(.*/s, 'table'),
    })),
  );
});
