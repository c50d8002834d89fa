-- Running jobs without a sign of life: 20 s while their dispatch is not finished, else 2 minutes, twice
-- as long after each time that brought nothing. A job that has not begun because another one of its user
-- is being worked waits its turn. Touches them, so that the next run leaves them alone for as long.
-- → {job, pending: chunk indexes to publish, spent: chunk indexes that lost p_attempts leases}
create or replace function rowloom.jobs_stalled(p_attempts integer, p_limit integer) returns setof jsonb
language sql as $$
  with stalled as (
    update jobs set progress_at = clock_timestamp(), revivals = revivals + 1
      where id in (
        select j.id from jobs j
          where j.status = 'running'
            and j.progress_at < clock_timestamp()
              - case when j.chunks_dispatched < j.chunks_total then interval '20 seconds' else interval '2 minutes' end
                * power(2, least(j.revivals, 6))
            and not (j.rows_done = j.rows_kept and j.chunks_dispatched = j.chunks_total and exists (
              select 1 from jobs other
                where other.user_id = j.user_id and other.id <> j.id and other.status = 'running'
                  and other.rows_done > other.rows_kept
                  and other.progress_at > clock_timestamp() - interval '1 minute'))
          order by j.progress_at limit p_limit for update skip locked)
      returning *
  )
  select jsonb_build_object('job', to_jsonb(s), 'pending', c.pending, 'spent', c.spent)
    from stalled s
    cross join lateral (
      select coalesce(jsonb_agg(index order by index) filter (where attempts < p_attempts), '[]') as pending,
             coalesce(jsonb_agg(index order by index) filter (where attempts >= p_attempts), '[]') as spent
        from job_chunks
        where job_id = s.id and status = 'pending'
          and (lease_until is null or lease_until < clock_timestamp())
    ) c
$$;
