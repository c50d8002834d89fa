-- Changes what a job is asked, before its run. p_version, p_was: settings and options that the change is of; p_reworks:
-- rows would come out otherwise now. p_discards: its samples have other columns now, so those rows are to be worked.
-- RL409 settings_changed, job_running, job_not_open. → the job row
create function rowloom.job_change(
  p_job uuid, p_user uuid, p_version integer, p_processor text, p_prompt text, p_options jsonb, p_needs_search boolean,
  p_discards boolean, p_was jsonb, p_reworks boolean, p_columns jsonb default null
) returns jsonb language plpgsql as $$
declare
  j jobs := rowloom.job_lock(p_job, p_user);
  v_skip boolean := coalesce(p_options ->> 'duplicates' = 'skip', false);
begin
  if j.status not in ('created', 'awaiting_credits', 'ready') then
    raise exception using errcode = 'RL409',
      detail = case when rowloom.is_sample(j) then 'sample' else j.status end,
      message = case j.status when 'running' then 'job_running' else 'job_not_open' end;
  elsif j.settings_version <> p_version or j.options <> p_was then
    raise exception using errcode = 'RL409', message = 'settings_changed';
  end if;
  if p_discards and j.rows_succeeded + j.rows_failed > 0 then
    -- One that was sampled is skipped again only once it has no result.
    if j.skips_duplicates then
      perform rowloom.job_skip_duplicates(p_job, false);
      j.skips_duplicates := false;
    end if;
    update job_chunks c set rows_succeeded = 0, rows_failed = 0,
        status = case when rows_skipped = row_count then 'done' else 'pending' end,
        results = (select json_agg(case when r ->> 'status' = 'skipped' then r end order by n)
          from json_array_elements(c.results) with ordinality as e(r, n))
      where job_id = p_job and rows_succeeded + rows_failed > 0;
    update jobs set rows_succeeded = 0, rows_failed = 0, rows_done = rows_skipped where id = p_job;
  end if;
  if v_skip <> j.skips_duplicates then
    perform rowloom.job_skip_duplicates(p_job, v_skip);
  end if;
  update jobs set processor = p_processor, prompt = p_prompt, columns = p_columns, options = p_options,
      needs_search = p_needs_search,
      status = case when status = 'awaiting_credits' and p_options ->> 'start' = 'manual' then 'ready' else status end,
      settings_version = settings_version + p_reworks::integer, progress_at = clock_timestamp()
    where id = p_job returning * into j;
  return to_jsonb(j);
end $$;
