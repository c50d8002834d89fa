-- Running jobs without a sign of life: 20 s while their dispatch is not finished, else 3 minutes.
-- Touches them, so that the next run leaves them alone for as long.
-- → {job, pending: chunk indexes to publish, spent: chunk indexes that lost p_attempts leases}
create or replace function rowloom.jobs_stalled(p_attempts integer, p_limit integer) returns setof jsonb
language sql as $$
  with stalled as (
    update jobs set progress_at = clock_timestamp()
      where id in (
        select id from jobs
          where status = 'running'
            and progress_at < clock_timestamp()
              - case when chunks_dispatched < chunks_total then interval '20 seconds' else interval '3 minutes' end
          order by progress_at limit p_limit for update skip locked)
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
