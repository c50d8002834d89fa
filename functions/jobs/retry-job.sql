-- Runs the rows of an ended job that have not succeeded, for a hold of their own. What failed before
-- stands in the results until it is worked again. → as job_run
create function rowloom.job_retry(
  p_job uuid, p_user uuid, p_per_row integer, p_unlimited boolean, p_standing bigint
) returns jsonb
language plpgsql as $$
declare
  j jobs := rowloom.job_lock(p_job, p_user);
  v_run jsonb;
begin
  if j.status not in ('completed', 'cancelled', 'failed') then
    raise exception using errcode = 'RL409', detail = j.status,
      message = case j.status when 'running' then 'job_running' else 'job_not_open' end;
  elsif j.purged_at is not null then
    raise exception using errcode = 'RL409', message = 'rows_expired';
  elsif j.rows_total = j.rows_succeeded then
    raise exception using errcode = 'RL409', message = 'nothing_to_retry';
  end if;
  v_run := rowloom.job_run(p_job, j.rows_total - j.rows_succeeded, p_per_row, p_unlimited, p_standing);
  if (v_run ->> 'started')::boolean then
    update job_chunks set status = 'pending', rows_failed = 0, fruitless_leases = 0,
        lease_token = null, lease_until = null
      where job_id = p_job and rows_succeeded < row_count;
  end if;
  return v_run;
end $$;
