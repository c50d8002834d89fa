import { readdirSync } from 'node:fs';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { functionsSchema } from '../../db/functions.generated.ts';
import { readRelease } from '../../db/functions.ts';
import { migrate, migrateDown } from '../../db/migrate.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createDatabase();
});
afterAll(() => database.drop());

/** Everything that makes up the schema, as text that two databases can be compared by. */
async function describeSchema(url: string): Promise<string[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const { rows } = await client.query<{ line: string }>(`
    select format('column %s.%s %s %s %s', table_name, column_name, data_type, is_nullable, column_default) as line
      from information_schema.columns where table_schema = 'public'
    union all select format('constraint %s %s', conname, pg_get_constraintdef(oid)) from pg_constraint
      where connamespace = 'public'::regnamespace
    union all select indexdef from pg_indexes where schemaname = 'public'
    union all select format('trigger %s', tgname) from pg_trigger where not tgisinternal
    union all select format('function %s', p.oid::regprocedure) from pg_proc p
      where pronamespace in ('public'::regnamespace, to_regnamespace('${functionsSchema}'))
    order by 1`);
  await client.end();
  return rows.map((row) => row.line);
}

const { signatures } = await readRelease();
const count = signatures.length;

describe('migrations', () => {
  const names = readdirSync('db/migrations').filter((name) => name.endsWith('.sql'));

  test('each has a name and a way down', () => {
    expect(readdirSync('db/migrations/down').toSorted()).toEqual(names.toSorted());
    for (const name of names) expect(name).toMatch(/^\d{4}_[a-z]+(_[a-z]+)+\.sql$/);
  });

  test('down leaves nothing, up again gives the same schema', async () => {
    const before = await describeSchema(database.url);
    expect(before.length).toBeGreaterThan(100);
    const tags = names.toSorted().map((name) => name.replace('.sql', ''));
    expect(await migrateDown(database.url, 100)).toEqual([
      ...tags.toReversed().map((tag) => `down ${tag}`),
      `dropped functions ${functionsSchema}`,
    ]);
    expect(await describeSchema(database.url)).toEqual([]);
    expect(await migrate(database.url)).toEqual([
      ...tags.map((tag) => `up ${tag}`),
      `released functions ${functionsSchema} (${count})`,
    ]);
    expect(await describeSchema(database.url)).toEqual(before);
  });

  test('a second run, and two at once, change nothing', async () => {
    const before = await describeSchema(database.url);
    expect(await Promise.all([migrate(database.url), migrate(database.url)])).toEqual([[], []]);
    expect(await describeSchema(database.url)).toEqual(before);
  });
});

test('down 0003 keeps rows that were skipped: to be worked, or failed', async () => {
  const other = await createDatabase();
  const client = new pg.Client({ connectionString: other.url });
  await client.connect();
  const { rows: users } = await client.query('insert into users default values returning id');
  const add = async (status: string, done: string) => {
    const { rows } = await client.query(
      `insert into jobs (user_id, filename, processor, prompt, status, run, rows_total, rows_skipped, rows_done, rows_succeeded)
        values ($1, 'f.csv', 'classify', '', $2, 1, 3, 2, 2 + $3, $3) returning id`,
      [users[0].id, status, done],
    );
    const skipped = '{"status":"skipped","note":"empty row"}';
    await client.query(
      `insert into job_chunks (job_id, index, status, first_row, row_count, rows, results, rows_skipped, rows_succeeded)
        values ($1, 0, 'done', 0, 2, '[[],[]]', '[${skipped},${skipped}]', 2, 0),
          ($1, 1, $3, 2, 1, '[["a"]]', $4, 0, $2)`,
      [
        rows[0].id,
        done,
        done === '1' ? 'done' : 'pending',
        done === '1' ? '[{"status":"ok","cells":[]}]' : null,
      ],
    );
    return rows[0].id as string;
  };
  const [awaiting, completed] = [await add('awaiting_credits', '0'), await add('completed', '1')];
  expect(await migrateDown(other.url, 2)).toContain('down 0003_add_bounds_skipped_rows');
  const chunks = async (job: string) =>
    (
      await client.query(
        'select status, rows_failed as failed, results from job_chunks where job_id = $1 order by index',
        [job],
      )
    ).rows;
  expect((await chunks(awaiting))[0]).toEqual({ status: 'pending', failed: 0, results: null });
  expect((await chunks(completed))[0]).toMatchObject({
    status: 'done',
    failed: 2,
    results: [{ status: 'error', error: 'Skipped' }, { status: 'error' }],
  });
  await migrate(other.url);
  await client.query(
    "update jobs set status = 'running', rows_skipped = 1, rows_done = 1 where id = $1",
    [awaiting],
  );
  await expect(migrateDown(other.url, 2)).rejects.toThrow(/cancel them/);
  await client.end();
  await other.drop();
});

test('down 0004 keeps jobs that wait: cancelled, with their duplicates to be worked', async () => {
  const other = await createDatabase();
  const client = new pg.Client({ connectionString: other.url });
  await client.connect();
  const { rows: users } = await client.query('insert into users default values returning id');
  const { rows: jobs } = await client.query(
    `insert into jobs (user_id, filename, processor, prompt, status, rows_total, rows_skipped, rows_done, rows_duplicate,
        skips_duplicates)
      values ($1, 'f.csv', 'classify', '', 'ready', 2, 1, 1, 1, true) returning id`,
    [users[0].id],
  );
  await client.query(
    `insert into job_chunks (job_id, index, first_row, row_count, rows, duplicates, rows_skipped)
      values ($1, 0, 0, 2, '[["a"],["a"]]', '[[1,1]]', 1)`,
    [jobs[0].id],
  );
  expect(await migrateDown(other.url, 1)).toContain('down 0004_add_runs_options_notifications');
  const { rows: left } = await client.query(
    `select j.status, j.rows_done, c.status as chunk, c.rows_skipped
      from jobs j join job_chunks c on c.job_id = j.id`,
  );
  expect(left).toEqual([{ status: 'cancelled', rows_done: 0, chunk: 'pending', rows_skipped: 0 }]);
  await migrate(other.url);
  await client.query("update jobs set status = 'paused', run_open = true");
  await expect(migrateDown(other.url, 1)).rejects.toThrow(/cancel them/);
  await client.end();
  await other.drop();
});

describe('indexes', () => {
  /** Every way in which the code looks a row up, and the index that must answer it. */
  const lookups: [index: string, query: string][] = [
    ['users_pkey', 'select * from users where id = gen_random_uuid()'],
    ['users_external_id_key', "select * from users where external_id = 'x'"],
    ['users_stripe_customer_id_key', "select * from users where stripe_customer_id = 'x'"],
    [
      'users_email_ascii_lower_idx',
      `select * from users where lower(email collate "C") = lower('x' collate "C")`,
    ],
    ['user_days_pkey', 'select * from user_days where user_id = gen_random_uuid() and day = now()'],
    ['user_days_day_idx', 'delete from user_days where day < now()'],
    ['event_streams_pkey', 'delete from event_streams where id = gen_random_uuid()'],
    ['event_streams_user_idx', 'select * from event_streams where user_id = gen_random_uuid()'],
    ['event_streams_lease_idx', 'delete from event_streams where lease_until < now()'],
    [
      'jobs_open_idx',
      `select count(*) from jobs where user_id = gen_random_uuid()
        and status in ('created','uploading','awaiting_credits','ready','running','paused')`,
    ],
    [
      'jobs_draining_idx',
      "select id from jobs where status = 'paused' and run_open order by pause_at limit 5",
    ],
    [
      'notifications_created_idx',
      "delete from notifications where created_at < now() - interval '30 days'",
    ],
    ['notifications_pkey', 'select * from notifications where id = gen_random_uuid()'],
    ['notifications_job_run_key', 'select * from notifications where job_id = gen_random_uuid()'],
    [
      'notifications_unpublished_idx',
      `select id from notifications where published_at is null and status = 'pending'
        order by created_at limit 5`,
    ],
    ['user_profiles_pkey', 'select * from user_profiles where user_id = gen_random_uuid()'],
    [
      'jobs_stored_idx',
      'select sum(bytes_stored) from jobs where user_id = gen_random_uuid() and bytes_stored > 0',
    ],
    ['providers_pkey', "select * from providers where name = 'x'"],
    ['paused_lanes_pkey', "select * from paused_lanes where lane = 'x'"],
    ['stripe_customers_pkey', "select * from stripe_customers where customer_id = 'x'"],
    [
      'stripe_customers_user_idx',
      "select * from stripe_customers where user_id = '00000000-0000-0000-0000-000000000000'",
    ],
    ['notices_pkey', 'select * from notices order by id desc limit 5'],
    ['notices_subject_idx', "select * from notices where subject_id = 'x'"],
    [
      'notices_open_key',
      "select * from notices where kind = 'x' and subject_type = 'x' and subject_id = 'x' and closed_at is null",
    ],
    ['stripe_products_pkey', "select * from stripe_products where product_id = 'x'"],
    ['watermarks_pkey', "select * from watermarks where name = 'x'"],
    ['credit_entries_pkey', 'select * from credit_entries where id = 1'],
    [
      'credit_entries_idempotency_key_key',
      "select * from credit_entries where idempotency_key = 'x'",
    ],
    [
      'credit_entries_user_idx',
      "select * from credit_entries where user_id = '00000000-0000-0000-0000-000000000000' order by id desc limit 5",
    ],
    ['credit_facts_pkey', "select * from credit_facts where key = 'x'"],
    [
      'credit_facts_user_idx',
      "select * from credit_facts where user_id = '00000000-0000-0000-0000-000000000000' and position > 'x' order by position",
    ],
    [
      'credit_lots_pkey',
      "update credit_lots set remaining = 0 where user_id = '00000000-0000-0000-0000-000000000000' and key = 'x'",
    ],
    [
      'credit_lots_pkey',
      "select * from credit_lots where user_id = '00000000-0000-0000-0000-000000000000' and remaining > 0",
    ],
    ['credit_holds_pkey', "delete from credit_holds where key = 'x'"],
    [
      'credit_holds_user_idx',
      "select * from credit_holds where user_id = '00000000-0000-0000-0000-000000000000'",
    ],
    ['payment_refs_pkey', "select * from payment_refs where ref = 'x'"],
    [
      'users_stale_idx',
      'select * from users where stale_since is not null order by stale_since limit 5',
    ],
    [
      'users_next_due_idx',
      'select * from users where next_due_at <= now() order by next_due_at limit 5',
    ],
    [
      'users_allowance_due_idx',
      'select * from users where allowance_due_at <= now() order by allowance_due_at limit 5',
    ],
    ['catalogue_version_pkey', 'select * from catalogue_version where id = 1'],
    ['stripe_events_pkey', "select * from stripe_events where event_id = 'x'"],
    [
      'stripe_events_due_idx',
      'select * from stripe_events where next_attempt_at is not null and next_attempt_at <= now() order by next_attempt_at limit 5',
    ],
    ['stripe_events_waiting_idx', "select * from stripe_events where waiting_for && array['x']"],
    [
      'stripe_events_received_idx',
      'select * from stripe_events order by received_at desc, event_id desc limit 5',
    ],
    ['subscriptions_pkey', "select * from subscriptions where stripe_subscription_id = 'x'"],
    [
      'subscriptions_user_idx',
      "select * from subscriptions where user_id = '00000000-0000-0000-0000-000000000000'",
    ],
    ['stripe_prices_pkey', "select * from stripe_prices where price_id = 'x'"],
    [
      'stripe_prices_key_idx',
      "select * from stripe_prices where kind = 'pack' and key = 'x' and active",
    ],
    ['jobs_pkey', 'select * from jobs where id = gen_random_uuid()'],
    [
      'jobs_idempotency_key',
      "select * from jobs where user_id = '00000000-0000-0000-0000-000000000000' and idempotency_key = 'x'",
    ],
    [
      'jobs_user_created_idx',
      "select * from jobs where user_id = '00000000-0000-0000-0000-000000000000' order by created_at desc, id desc limit 5",
    ],
    [
      'jobs_awaiting_idx',
      "select * from jobs where user_id = '00000000-0000-0000-0000-000000000000' and status = 'awaiting_credits'",
    ],
    [
      'jobs_running_idx',
      "select * from jobs where status = 'running' and progress_at < now() order by progress_at limit 5",
    ],
    [
      'jobs_expiry_idx',
      "select * from jobs where purged_at is null and status <> 'running' and coalesce(finished_at, progress_at, created_at) < now() order by coalesce(finished_at, progress_at, created_at) limit 5",
    ],
    [
      'job_chunks_pkey',
      "select * from job_chunks where job_id = '00000000-0000-0000-0000-000000000000' and index > 3 and status = 'done' order by index limit 5",
    ],
  ];

  beforeAll(async () => {
    // Where two indexes could answer, the planner needs rows to tell which is the better.
    await database.pool.query(`
      with u as (insert into users (id) values ('00000000-0000-0000-0000-000000000000') returning id)
      insert into jobs (user_id, filename, processor, prompt, idempotency_key)
        select u.id, 'f', 'p', 'x', 'key' || i from u, generate_series(1, 2000) i`);
    await database.pool.query('analyze jobs');
  });

  test.each(lookups)('%s answers: %s', async (index, query) => {
    const client = new pg.Client({ connectionString: database.url });
    await client.connect();
    try {
      // Tables are empty: what counts is that an index can answer, without a sort after it.
      await client.query(
        `set enable_seqscan = off; set enable_sort = off; set enable_bitmapscan = ${/&&/.test(query)}`,
      );
      const { rows } = await client.query<Record<'QUERY PLAN', string>>(
        `explain ${query.replace('gen_random_uuid()', "'00000000-0000-0000-0000-000000000000'")}`,
      );
      const plan = rows.map((row) => row['QUERY PLAN']).join('\n');
      expect(plan).toMatch(new RegExp(`Index (Only )?Scan (Backward )?(using|on) ${index} `));
      expect(plan).not.toContain('Sort');
    } finally {
      await client.end();
    }
  });

  test('there is none besides', async () => {
    const { rows } = await database.pool.query<{ name: string }>(
      "select indexname as name from pg_indexes where schemaname = 'public' order by 1",
    );
    expect(rows.map((row) => row.name)).toEqual(
      [...new Set(lookups.map(([index]) => index))].toSorted(),
    );
  });
});
