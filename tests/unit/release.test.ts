import { describe, expect, test } from 'vitest';
import { callStatement } from '../../db/call.ts';
import { fromDriver } from '../../db/errors.ts';
import { functionsSchema } from '../../db/functions.generated.ts';
import { inSchema } from '../../db/in-schema.ts';
import { generate, isFresh } from '../../db/release.ts';
import { readRelease } from '../../db/functions.ts';
import { DomainError } from '../../functions/errors.ts';
import { releaseOf } from '../support/releases.ts';

const one = (body = '1', name = 'one'): string =>
  `create function rowloom.${name}() returns integer language sql as $$ select ${body} $$;\n`;

describe('a release', () => {
  test('is named by its SQL alone, wherever it is read', async () => {
    const files = { 'a.sql': one('1', 'a'), 'b.sql': one('1', 'b') };
    const { schema } = await releaseOf(files);
    expect(schema).toMatch(/^rowloom_[0-9a-f]{10}$/);
    expect((await releaseOf(files)).schema).toBe(schema);
    expect((await releaseOf({ ...files, 'a.sql': one('2', 'a') })).schema).not.toBe(schema);
  });

  test('that the Worker names is the one in functions/', async () => {
    const own = await readRelease();
    expect(own.schema).toBe(functionsSchema);
    expect(await isFresh(own)).toBe(true);
    expect(await isFresh(await releaseOf({ 'more.sql': one() }, { ours: true }))).toBe(false);
  });

  test('names its schema wherever the files say rowloom, and nowhere else', async () => {
    const { schema, sql } = await releaseOf({
      'types.sql': 'create type rowloom.pair as (one integer);',
      'a.sql': `create function rowloom.a(p text default 'https://rowloom.example/') returns text language sql as $$
        select null::rowloom.pair::text || to_regtype('rowloom.pair') || to_regnamespace('rowloom') || 'a.rowloom.b' $$;`,
    });
    expect(sql).toContain(`create type ${schema}.pair`);
    expect(sql).toContain(`null::${schema}.pair::text || to_regtype('${schema}.pair')`);
    expect(sql).toContain(`to_regnamespace('${schema}')`);
    expect(sql).toContain(`'https://rowloom.example/'`);
    expect(sql).toContain(`'a.rowloom.b'`);
    expect(inSchema('x', 'select rowloom.a(rowloom.b())')).toBe('select x.a(x.b())');
  });

  test.each([
    ['a function that is nowhere', one('rowloom.tow()'), /a\.sql names rowloom\.tow/],
    ['a name twice', one() + one(), /rowloom\.one is created twice/],
    ['a table', 'create table rowloom.t (id integer);', /a\.sql creates something else/],
    ['a function outside', one().replace('rowloom.', 'public.'), /a\.sql creates something else/],
  ])('with %s is refused', async (_, text, message) => {
    await expect(releaseOf({ 'a.sql': text })).rejects.toThrow(message);
  });

  test('has its parameters typed: what has a default may be left out, null only where it is one', async () => {
    const release = await releaseOf({
      'a.sql': `create function rowloom.a(
          p_job uuid, p_rows integer[], p_note text default 'a, (b)', p_at timestamptz default null,
          out done boolean, out amount numeric(8, 2)
        ) language sql as $$ select true, 1 $$;`,
      'b.sql': `create function rowloom.b(p jobs) returns void language sql as $$ $$;`,
      'c.sql': `create function rowloom.c() returns setof jsonb language sql as $$ $$;`,
    });
    const [, , , arrays, , ...functions] = generate(release).split('\n');
    expect(arrays).toContain("['a.p_rows']");
    expect(functions).toEqual([
      '  a: { takes: { p_job: string; p_rows: readonly number[]; p_note?: string; p_at?: string | null }; gives: unknown };',
      '};',
      '',
    ]);
  });
});

describe('a call', () => {
  test('sends objects as JSON, arrays of SQL as arrays, and leaves out what is undefined', () => {
    expect(
      callStatement('job_upload_append', { p_counts: [1, 2], p_lines: undefined, p_job: 'x' }),
    ).toEqual({
      text: `select ${functionsSchema}.job_upload_append(p_counts => $1, p_job => $2) as result`,
      params: [[1, 2], 'x'],
    });
    expect(callStatement('users_of', { p_identities: [{ a: 1 }], p: null }).params).toEqual([
      '[{"a":1}]',
      null,
    ]);
  });
});

describe('an error of the database', () => {
  const of = (code: string) => Object.assign(new Error('it failed'), { code });

  test.each(['08006', '40P01', '53300', '55P03', '57014', '58030'])('%s passes', (code) => {
    const told = fromDriver(of(code));
    expect(told).toBeInstanceOf(DomainError);
    expect(told).toMatchObject({ code: 'service_unavailable' });
  });

  test.each(['XX000', 'XX001', 'XX002', '42883', '3F000', '23514'])(
    '%s is a bug: nobody is told to come again',
    (code) => {
      const error = of(code);
      expect(fromDriver(error)).toBe(error);
    },
  );
});
