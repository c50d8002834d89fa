-- Turns what is left of a job's chunks into error rows; changes nothing of those that are done or that somebody
-- holds a lease on. p_index: only that chunk, unless some of it was committed after p_revision: its rest has a
-- message of its own. p_given_up: they have waited for a provider in vain. p_fruitless: only those that lost so
-- many leases.
create function rowloom.chunks_fail(
  p_job uuid, p_run integer, p_reason text, p_index integer default null, p_revision integer default null,
  p_given_up boolean default false, p_fruitless integer default null
) returns json language plpgsql as $$
declare
  j jobs%rowtype;
  v_failed integer;
begin
  select * into j from jobs where id = p_job for update;
  if not found or j.status <> 'running' or j.run <> p_run then
    return '{"outcome":"gone"}';
  end if;
  with failed as (
    update job_chunks c set status = 'done', rows_failed = c.row_count - c.rows_succeeded - c.rows_skipped,
        lease_token = null, lease_until = null, results = (
          select json_agg(case when c.results -> i ->> 'status' in ('ok', 'error', 'skipped') then c.results -> i
              else json_build_object('status', 'error', 'error', p_reason, 'run', p_run) end order by i)
            from generate_series(0, c.row_count - 1) i)
      from (select index, rows_failed from job_chunks
              where job_id = p_job and (p_index is null or index = p_index) and status = 'pending'
              order by index for update) before
      where c.job_id = p_job and c.index = before.index and c.status = 'pending'
        and (p_revision is null or c.revision = p_revision)
        and (p_fruitless is null or c.fruitless_leases >= p_fruitless)
        and (c.lease_until is null or c.lease_until < clock_timestamp())
      returning c.rows_failed - before.rows_failed as rows)
  select sum(rows) into v_failed from failed;
  if v_failed is null then
    return '{"outcome":"stale"}';
  end if;
  if p_given_up then
    update jobs set given_up = true where id = p_job;
  end if;
  return json_build_object('outcome', 'committed', 'status', rowloom.job_advance(p_job, 0, v_failed),
    'userId', j.user_id);
end $$;
