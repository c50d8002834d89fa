-- Runs p_rows of a job that has not begun, which then is as it was. p_version, p_run: settings and run as
-- they were chosen. One that is at a sample already is left as it is (joined), also where nothing is to be worked.
-- RL409 settings_changed, job_running, job_not_open. → as job_run
create function rowloom.job_sample(
  p_job uuid, p_user uuid, p_per_row integer, p_unlimited boolean, p_standing bigint, p_bounds jsonb,
  p_rows integer[], p_version integer, p_run integer
) returns jsonb language plpgsql as $$
declare j jobs := rowloom.job_lock(p_job, p_user);
begin
  if j.status = 'running' and rowloom.is_sample(j) then
    return jsonb_build_object('started', true, 'job', to_jsonb(j), 'joined', true);
  elsif j.status not in ('ready', 'awaiting_credits') then
    raise exception using errcode = 'RL409', detail = j.status,
      message = case j.status when 'running' then 'job_running' else 'job_not_open' end;
  elsif j.settings_version <> p_version or j.run <> p_run then
    raise exception using errcode = 'RL409', message = 'settings_changed';
  end if;
  if cardinality(p_rows) = 0 then
    return jsonb_build_object('started', true, 'job', to_jsonb(j), 'joined', true);
  end if;
  return rowloom.job_run_rows(p_job, p_rows, j.status, p_per_row, p_unlimited, p_standing, p_bounds);
end $$;
