-- Runs the rows of an ended job that have not succeeded, or p_rows of any kind, for a hold of their own. What they had
-- stands in the results until they are worked again. A job has so many retries; one after a run that has waited
-- for a provider in vain is not counted, nor one of rows that have all succeeded: those are paid for. p_prompt: from
-- now on. → as job_run
create function rowloom.job_retry(
  p_job uuid, p_user uuid, p_per_row integer, p_unlimited boolean, p_standing bigint, p_bounds jsonb,
  p_rows integer[] default null, p_prompt text default null
) returns jsonb
language plpgsql as $$
declare
  j jobs := rowloom.job_lock(p_job, p_user);
  v_limit integer := (p_bounds ->> 'retriesPerJob')::integer;
  v_is_free boolean;
  v_run jsonb;
begin
  if j.status not in ('completed', 'cancelled', 'failed') then
    raise exception using errcode = 'RL409',
      detail = case when rowloom.is_sample(j) then 'sample' else j.status end,
      message = case j.status when 'running' then 'job_running' else 'job_not_open' end;
  elsif j.purged_at is not null or j.header is null and j.rows_total > 0 then
    raise exception using errcode = 'RL409', message = 'rows_expired';
  elsif j.rows_total = j.rows_skipped or p_rows is null and j.rows_total = j.rows_succeeded + j.rows_skipped then
    raise exception using errcode = 'RL409', message = 'nothing_to_retry';
  end if;
  -- Only chunks with rows that have not succeeded are looked into.
  v_is_free := not j.given_up and (p_rows is null or exists (
    select 1 from unnest(p_rows) r join job_chunks c
      on c.job_id = p_job and c.first_row <= r and r < c.first_row + c.row_count
      where c.rows_succeeded + c.rows_skipped < c.row_count
        and coalesce(rowloom.result_status(c.results -> (r - c.first_row)), '') <> 'ok'));
  if v_is_free and j.retries >= v_limit then
    raise exception using errcode = 'RL409', message = 'too_many_retries',
      detail = jsonb_build_object('limit', v_limit);
  end if;
  perform rowloom.open_jobs_check(p_user, (p_bounds ->> 'openJobs')::integer);
  v_run := case when p_rows is null
    then rowloom.job_run_all(p_job, p_per_row, p_unlimited, p_standing, p_bounds)
    else rowloom.job_run_rows(p_job, p_rows, j.status, p_per_row, p_unlimited, p_standing, p_bounds) end;
  if (v_run ->> 'started')::boolean then
    update jobs set retries = retries + v_is_free::integer, prompt = coalesce(p_prompt, prompt),
        settings_version = settings_version + (p_prompt is distinct from prompt and p_prompt is not null)::integer
      where id = p_job returning to_jsonb(jobs) into v_run;
    return jsonb_build_object('started', true, 'job', v_run);
  end if;
  return v_run;
end $$;
