-- Ends at most p_limit jobs whose cancel was begun and never finished. → their [{job, run, user}]
create function rowloom.jobs_cancel_overdue(p_limit integer) returns jsonb language plpgsql as $$
declare
  j jobs%rowtype;
  v_ended jsonb := '[]';
begin
  -- By their users: who else ends overdue ones locks users in the same order.
  for j in select * from (
      select * from jobs where status = 'running' and cancel_at < clock_timestamp() - interval '30 seconds'
        order by cancel_at limit p_limit for update skip locked) overdue order by user_id loop
    perform rowloom.job_end(j.id, 'cancelled');
    v_ended := v_ended || jsonb_build_object('job', j.id, 'run', j.run, 'user', j.user_id);
  end loop;
  return v_ended;
end $$;

-- Running jobs whose dispatch stands still for 20 s, or that show no sign of life for 2 minutes, twice as
-- long after each time in this run: a queue that is only slow is not flooded. A job that has not begun
-- because another one of its user is being worked waits its turn; so do those that
-- need a provider that is away (p_waiting: whether a search is needed, of each kind). Touches them, so that the next run leaves them alone for as long. One whose
-- dispatch had come to its end begins it anew: whoever goes on with it, it is never counted twice.
-- → [{jobId, run, userId, rows, needsSearch, chunks, from: where its dispatch goes on, watchdogRuns, hopeless: chunks
-- that lost p_fruitless_leases leases, or all when it was found for the ninth time: nobody will ever come for them}]
create function rowloom.jobs_stalled(p_fruitless_leases integer, p_limit integer, p_waiting boolean[]) returns jsonb
language sql as $$
  with stalled as (
    update jobs set progress_at = clock_timestamp(), dispatched_at = clock_timestamp(),
        watchdog_runs = watchdog_runs + (chunks_dispatched = chunks_total)::integer,
        chunks_dispatched = case when chunks_dispatched = chunks_total then 0 else chunks_dispatched end
      where id in (
        select j.id from jobs j
          where j.status = 'running' and j.cancel_at is null and j.pause_at is null and j.needs_search <> all(p_waiting)
            and case when j.chunks_dispatched < j.chunks_total
              then coalesce(j.dispatched_at, j.progress_at) < clock_timestamp() - interval '20 seconds'
              else j.progress_at < clock_timestamp() - interval '2 minutes' * power(2, least(j.watchdog_runs, 3)) end
            and not (j.run_succeeded + j.run_failed = 0 and j.chunks_dispatched = j.chunks_total and exists (
              select 1 from jobs other
                where other.user_id = j.user_id and other.id <> j.id and other.status = 'running'
                  and other.run_succeeded + other.run_failed > 0
                  and other.progress_at > clock_timestamp() - interval '1 minute'))
          order by j.progress_at limit p_limit for update skip locked)
      returning *
  )
  select coalesce(jsonb_agg(jsonb_build_object('jobId', s.id, 'run', s.run, 'userId', s.user_id,
      'rows', s.rows_total - s.rows_kept - s.rows_skipped, 'needsSearch', s.needs_search, 'chunks', s.chunks_total,
      'from', s.chunks_dispatched, 'watchdogRuns', s.watchdog_runs, 'hopeless', c.hopeless)), '[]')
    from stalled s
    cross join lateral (
      select count(*) as hopeless from job_chunks
        where job_id = s.id and status = 'pending' and (todo is not null or s.returns_to is null) and s.watchdog_runs > 0
          and (fruitless_leases >= p_fruitless_leases or s.watchdog_runs > 8)
          and (lease_until is null or lease_until < clock_timestamp())
    ) c
$$;
