-- Runs the rows of an ended job that have not succeeded, for a hold of their own. What failed before
-- stands in the results until it is worked again. A job has so many retries; one after a run that has waited
-- for a provider in vain is not counted. → as job_run
create function rowloom.job_retry(
  p_job uuid, p_user uuid, p_per_row integer, p_unlimited boolean, p_standing bigint, p_bounds jsonb
) returns jsonb
language plpgsql as $$
declare
  j jobs := rowloom.job_lock(p_job, p_user);
  v_limit integer := (p_bounds ->> 'retriesPerJob')::integer;
  v_run jsonb;
begin
  if j.status not in ('completed', 'cancelled', 'failed') then
    raise exception using errcode = 'RL409', detail = j.status,
      message = case j.status when 'running' then 'job_running' else 'job_not_open' end;
  elsif j.purged_at is not null or j.header is null and j.rows_total > 0 then
    raise exception using errcode = 'RL409', message = 'rows_expired';
  elsif j.rows_total = j.rows_succeeded + j.rows_skipped then
    raise exception using errcode = 'RL409', message = 'nothing_to_retry';
  elsif j.retries >= v_limit and not j.given_up then
    raise exception using errcode = 'RL409', message = 'too_many_retries',
      detail = jsonb_build_object('limit', v_limit);
  end if;
  perform rowloom.open_jobs_check(p_user, (p_bounds ->> 'openJobs')::integer);
  v_run := rowloom.job_run(
    p_job, j.rows_total - j.rows_skipped - j.rows_succeeded, p_per_row, p_unlimited, p_standing, p_bounds);
  if (v_run ->> 'started')::boolean then
    update jobs set retries = retries + (not j.given_up)::integer where id = p_job;
    update job_chunks set status = 'pending', rows_failed = 0, fruitless_leases = 0,
        lease_token = null, lease_until = null
      where job_id = p_job and rows_succeeded + rows_skipped < row_count;
  end if;
  return v_run;
end $$;
