type Query = (text: string, params?: unknown[]) => Promise<Record<string, unknown>[]>;

/**
 * Running jobs without a hold, each with `chunks(n)` chunks of one row and a user of its own, that nobody works:
 * the dispatch of every other one died a minute ago, the messages of the others were lost. Gives their ids.
 */
export async function insertStuckJobs(
  query: Query,
  count: number,
  chunks: (n: number) => number = () => 1,
): Promise<string[]> {
  const sizes = Array.from({ length: count }, (_, n) => chunks(n));
  const rows = await query(
    `with people as (
        insert into users (id) select gen_random_uuid() from generate_series(1, $1::integer) returning id
      ), sized as (
        select id, n, ($2::integer[])[n] as chunks, n % 2 = 0 as is_dispatched
          from (select id, row_number() over () as n from people) numbered)
      insert into jobs (user_id, filename, processor, prompt, header, status, run, metered, rows_total, chunks_total,
          chunks_dispatched, started_at, progress_at, dispatched_at)
        select id, 'leads.csv', 'research_email', 'Write.', '["name"]', 'running', 1, false, chunks, chunks,
            case when is_dispatched then chunks else 0 end, now() - interval '1 hour',
            now() - interval '30 minutes' + n * interval '1 millisecond', now() - interval '1 minute'
          from sized returning id::text`,
    [count, sizes],
  );
  const ids = rows.map(({ id }) => String(id));
  await query(
    `insert into job_chunks (job_id, index, first_row, row_count, rows)
      select id, index, index, 1, '[["somebody"]]' from jobs, generate_series(0, chunks_total - 1) index
        where id = any($1)`,
    [ids],
  );
  return ids;
}
