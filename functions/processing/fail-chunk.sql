-- Turns what is left of a chunk that cannot be processed into error rows; changes nothing once it is done,
-- while somebody holds its lease, or if a revision was committed after p_revision: its rest has a message of its own.
create function rowloom.chunk_fail(
  p_job uuid, p_run integer, p_index integer, p_revision integer, p_reason text
) returns json language plpgsql as $$
declare
  j jobs%rowtype;
  v_failed integer;
begin
  select * into j from jobs where id = p_job for update;
  if not found or j.status <> 'running' or j.run <> p_run then
    return '{"outcome":"gone"}';
  end if;
  update job_chunks c set status = 'done', rows_failed = c.row_count - c.rows_succeeded,
      lease_token = null, lease_until = null, results = (
        select json_agg(case when coalesce(json_typeof(c.results -> i), 'null') <> 'null' then c.results -> i
            else json_build_object('status', 'error', 'error', p_reason, 'run', p_run) end order by i)
          from generate_series(0, c.row_count - 1) i)
    from (select rows_failed from job_chunks where job_id = p_job and index = p_index for update) before
    where c.job_id = p_job and c.index = p_index and c.status = 'pending' and c.revision = p_revision
      and (c.lease_until is null or c.lease_until < clock_timestamp())
    returning c.rows_failed - before.rows_failed into v_failed;
  if not found then
    return '{"outcome":"stale"}';
  end if;
  return json_build_object('outcome', 'committed', 'status', rowloom.job_advance(p_job, 0, v_failed),
    'userId', j.user_id);
end $$;
