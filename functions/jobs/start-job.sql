-- Whether jobs of a user await credits.
create function rowloom.jobs_await(p_user uuid) returns boolean
language plpgsql stable as $$
begin
  return exists (select 1 from jobs where user_id = p_user and status = 'awaiting_credits');
end $$;

-- Holds the credits of p_rows rows and sets a locked job running, as its next run. With too few credits,
-- or while the account is suspended, nothing changes. p_unlimited, p_standing: what the caller has seen the
-- user to be entitled to, and as of which version; RL409 books_behind when that is no more, or not settled.
-- → {started, job, suspended, required, balance}
create function rowloom.job_run(
  p_job uuid, p_rows integer, p_per_row integer, p_unlimited boolean, p_standing bigint
) returns jsonb language plpgsql as $$
declare
  j jobs%rowtype;
  v_required bigint := p_rows::bigint * p_per_row;
  v_hold jsonb;
begin
  select * into j from jobs where id = p_job;
  v_hold := rowloom.ledger_hold(j.user_id, p_job, j.run + 1, v_required, p_unlimited, p_standing);
  if v_hold ->> 'outcome' in ('refold', 'changed') then
    raise exception using errcode = 'RL409', message = 'books_behind', detail = v_hold ->> 'outcome';
  elsif v_hold ->> 'outcome' <> 'held' then
    return jsonb_build_object('started', false, 'job', to_jsonb(j), 'required', v_required,
      'balance', v_hold -> 'balance', 'suspended', v_hold ->> 'outcome' = 'suspended');
  end if;
  update jobs set status = 'running', run = j.run + 1, chunks_dispatched = 0, watchdog_runs = 0,
      rows_kept = rows_succeeded, rows_done = rows_succeeded, rows_failed = 0,
      credits_per_row = p_per_row, metered = not p_unlimited,
      credits_held = case when p_unlimited then 0 else v_required end,
      started_at = clock_timestamp(), progress_at = clock_timestamp(), dispatched_at = clock_timestamp(),
      cancel_at = null, finished_at = null, error = null
    where id = p_job returning * into j;
  return jsonb_build_object('started', true, 'job', to_jsonb(j));
end $$;

-- Starts a job whose rows are all stored, or leaves it awaiting credits. p_upload null: a start after
-- buying credits. p_header: the file's columns. → as job_run
create function rowloom.job_start(
  p_job uuid, p_user uuid, p_per_row integer, p_unlimited boolean, p_standing bigint,
  p_upload uuid default null, p_header jsonb default null
) returns jsonb language plpgsql as $$
declare j jobs := rowloom.job_lock(p_job, p_user);
begin
  if j.status = 'uploading' and j.upload_id = p_upload then
    update jobs set status = 'awaiting_credits', upload_id = null, header = p_header,
        progress_at = clock_timestamp(),
        chunks_total = c.chunks, rows_total = c.rows
      from (select count(*) as chunks, coalesce(sum(row_count), 0) as rows
              from job_chunks where job_id = p_job) c
      where id = p_job returning * into j;
  elsif p_upload is null and j.status in ('running', 'completed') then
    return jsonb_build_object('started', true, 'job', to_jsonb(j));
  elsif p_upload is not null then
    raise exception using errcode = 'RL409', message = 'upload_superseded';
  elsif j.status <> 'awaiting_credits' then
    raise exception using errcode = 'RL409', message = 'job_not_open', detail = j.status;
  end if;
  return rowloom.job_run(p_job, j.rows_total, p_per_row, p_unlimited, p_standing);
end $$;
