-- Whether jobs of a user await credits.
create function rowloom.jobs_await(p_user uuid) returns boolean
language plpgsql stable as $$
begin
  return exists (select 1 from jobs where user_id = p_user and status = 'awaiting_credits');
end $$;

-- Holds the credits of p_rows rows and sets a locked job running, as its next run. With too few credits,
-- while the account is suspended, or beyond a bound of the day, nothing changes. p_unlimited, p_standing: what the caller has seen the
-- user to be entitled to, and as of which version; RL409 books_behind when that is no more, or not settled.
-- → {started, job, suspended, required, balance} | {started: false, job, refused: {code, limit, used, …}}
create function rowloom.job_run(
  p_job uuid, p_rows integer, p_per_row integer, p_unlimited boolean, p_standing bigint, p_bounds jsonb
) returns jsonb language plpgsql as $$
declare
  j jobs%rowtype;
  u users%rowtype;
  v_now timestamptz := clock_timestamp();
  v_refused jsonb;
  v_required bigint := p_rows::bigint * p_per_row;
  v_hold jsonb;
begin
  select * into j from jobs where id = p_job;
  select * into u from users where id = j.user_id for no key update;
  -- Whoever is entitled to something else than the caller has seen, or to nothing, is told so by the hold.
  if u.suspended_at is null and u.standing_version = p_standing then
    v_refused := rowloom.failed_rows_refusal(u.id, (p_bounds ->> 'freeErrorRowsPerDay')::integer);
    if v_refused is null and p_unlimited then
      v_refused := rowloom.fair_use_refusal(u.id, rowloom.utc_day(v_now), p_rows,
        (p_bounds ->> 'unlimitedRowsPerDay')::integer);
    end if;
    if v_refused is not null then
      return jsonb_build_object('started', false, 'job', to_jsonb(j), 'refused', v_refused);
    end if;
  end if;
  v_hold := rowloom.ledger_hold(j.user_id, p_job, j.run + 1, v_required, p_unlimited, p_standing);
  if v_hold ->> 'outcome' in ('refold', 'changed') then
    raise exception using errcode = 'RL409', message = 'books_behind', detail = v_hold ->> 'outcome';
  elsif v_hold ->> 'outcome' <> 'held' then
    return jsonb_build_object('started', false, 'job', to_jsonb(j), 'required', v_required,
      'balance', v_hold -> 'balance', 'suspended', v_hold ->> 'outcome' = 'suspended');
  end if;
  update jobs set status = 'running', run = j.run + 1, chunks_dispatched = 0, watchdog_runs = 0,
      rows_kept = rows_succeeded, rows_done = rows_succeeded + rows_skipped, rows_failed = 0,
      credits_per_row = p_per_row, metered = not p_unlimited,
      credits_held = case when p_unlimited then 0 else v_required end,
      started_at = v_now, progress_at = v_now, dispatched_at = v_now,
      cancel_at = null, finished_at = null, error = null, given_up = false
    where id = p_job returning * into j;
  if p_unlimited then
    perform rowloom.user_day_add(u.id, rowloom.utc_day(v_now), 0, 0, p_rows);
  end if;
  return jsonb_build_object('started', true, 'job', to_jsonb(j));
end $$;

-- Starts a job whose rows are all stored, or leaves it awaiting credits. p_upload null: a start after
-- buying credits. p_header: the file's columns; p_warnings: what its reader noticed. Rows that are more than may be
-- stored are dropped, and the upload with them. → as job_run
create function rowloom.job_start(
  p_job uuid, p_user uuid, p_per_row integer, p_unlimited boolean, p_standing bigint, p_bounds jsonb,
  p_upload uuid default null, p_header jsonb default null, p_warnings jsonb default null
) returns jsonb language plpgsql as $$
declare
  j jobs := rowloom.job_lock(p_job, p_user);
  v_bytes bigint;
  v_full jsonb;
begin
  if j.status = 'uploading' and j.upload_id = p_upload then
    v_bytes := rowloom.job_bytes(p_job);
    v_full := rowloom.storage_refusal(p_user, p_job, v_bytes, (p_bounds ->> 'storedBytes')::bigint);
    if v_full is not null then
      perform rowloom.job_upload_abort(p_job, p_upload);
      return jsonb_build_object('started', false, 'job', to_jsonb(j), 'refused', v_full);
    end if;
    update jobs set status = 'awaiting_credits', upload_id = null, header = p_header,
        warnings = coalesce(p_warnings, '[]'), progress_at = clock_timestamp(), bytes_stored = v_bytes,
        chunks_total = c.chunks, rows_total = c.rows, rows_skipped = c.skipped, rows_done = c.skipped
      from (select count(*) as chunks, coalesce(sum(row_count), 0) as rows, coalesce(sum(rows_skipped), 0) as skipped
              from job_chunks where job_id = p_job) c
      where id = p_job returning * into j;
  elsif p_upload is null and j.status in ('running', 'completed') then
    return jsonb_build_object('started', true, 'job', to_jsonb(j));
  elsif p_upload is not null then
    raise exception using errcode = 'RL409', message = 'upload_superseded';
  elsif j.status <> 'awaiting_credits' then
    raise exception using errcode = 'RL409', message = 'job_not_open', detail = j.status;
  end if;
  return rowloom.job_run(p_job, j.rows_total - j.rows_skipped, p_per_row, p_unlimited, p_standing, p_bounds);
end $$;
