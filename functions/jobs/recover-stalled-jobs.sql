-- Ends jobs whose cancel was begun and never finished. → their [{job, run, user}]
create function rowloom.jobs_cancel_overdue() returns jsonb language plpgsql as $$
declare
  j jobs%rowtype;
  v_ended jsonb := '[]';
begin
  for j in select * from jobs where status = 'running' and cancel_at < clock_timestamp() - interval '30 seconds'
      for update skip locked loop
    perform rowloom.job_end(j.id, 'cancelled');
    v_ended := v_ended || jsonb_build_object('job', j.id, 'run', j.run, 'user', j.user_id);
  end loop;
  return v_ended;
end $$;

-- Running jobs whose dispatch stands still for 20 s, or that show no sign of life for 2 minutes, twice as
-- long after each time in this run: a queue that is only slow is not flooded. A job that has not begun
-- because another one of its user is being worked waits its turn; so do those of the processors p_waiting,
-- which need a provider that is away. Touches them, so that the next run
-- leaves them alone for as long.
-- → [{job, pending: [{index, revision}] to publish, exhausted: the same of those that lost p_fruitless_leases leases, or of
-- all when it was found for the ninth time: nobody will ever come for them}]
create function rowloom.jobs_stalled(p_fruitless_leases integer, p_limit integer, p_waiting text[]) returns jsonb
language sql as $$
  with stalled as (
    update jobs set progress_at = clock_timestamp(), dispatched_at = clock_timestamp(),
        watchdog_runs = watchdog_runs + (chunks_dispatched = chunks_total)::integer
      where id in (
        select j.id from jobs j
          where j.status = 'running' and j.cancel_at is null and j.processor <> all(p_waiting)
            and case when j.chunks_dispatched < j.chunks_total
              then coalesce(j.dispatched_at, j.progress_at) < clock_timestamp() - interval '20 seconds'
              else j.progress_at < clock_timestamp() - interval '2 minutes' * power(2, least(j.watchdog_runs, 3)) end
            and not (j.rows_done = j.rows_kept + j.rows_skipped and j.chunks_dispatched = j.chunks_total and exists (
              select 1 from jobs other
                where other.user_id = j.user_id and other.id <> j.id and other.status = 'running'
                  and other.rows_done > other.rows_kept + other.rows_skipped
                  and other.progress_at > clock_timestamp() - interval '1 minute'))
          order by j.progress_at limit p_limit for update skip locked)
      returning *
  )
  select coalesce(jsonb_agg(jsonb_build_object('job', to_jsonb(s), 'pending', c.pending, 'exhausted', c.exhausted)), '[]')
    from stalled s
    cross join lateral (
      select coalesce(jsonb_agg(chunk order by index) filter (where fruitless_leases < p_fruitless_leases and s.watchdog_runs <= 8), '[]') as pending,
             coalesce(jsonb_agg(chunk order by index) filter (where fruitless_leases >= p_fruitless_leases or s.watchdog_runs > 8), '[]') as exhausted
        from job_chunks, lateral (select jsonb_build_object('index', index, 'revision', revision) as chunk) as described
        where job_id = s.id and status = 'pending'
          and (lease_until is null or lease_until < clock_timestamp())
    ) c
$$;
