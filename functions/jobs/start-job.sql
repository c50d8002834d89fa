-- Whether jobs of a user await credits.
create function rowloom.jobs_await(p_user uuid) returns boolean
language plpgsql stable as $$
begin
  return exists (select 1 from jobs where user_id = p_user and status = 'awaiting_credits');
end $$;

-- Holds the credits of p_rows rows and sets a locked job running, as its next run; p_resumes: it goes on with the
-- generation of the run before, whose errors stand. With too few credits, while the account is suspended, or beyond a
-- bound of the day, nothing changes. p_unlimited, p_standing: what the caller has seen the user to be entitled to,
-- and as of which version; RL409 books_behind when that is no more, or not settled.
-- → {started, job, suspended, required, balance} | {started: false, job, refused: {code, limit, used, …}}
create function rowloom.job_run(
  p_job uuid, p_rows integer, p_per_row integer, p_unlimited boolean, p_standing bigint, p_bounds jsonb,
  p_resumes boolean default false
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
  update jobs set status = 'running', run = j.run + 1, run_open = true, run_succeeded = 0, run_failed = 0,
      generation = case when p_resumes then generation else j.run + 1 end,
      sender = case when p_resumes then sender else (select p.sender from user_profiles p where p.user_id = j.user_id) end,
      rows_kept = rows_total - rows_skipped - p_rows, chunks_dispatched = 0, watchdog_runs = 0,
      credits_per_row = p_per_row, metered = not p_unlimited,
      credits_held = case when p_unlimited then 0 else v_required end,
      started_at = v_now, progress_at = v_now, dispatched_at = v_now,
      cancel_at = null, pause_at = null, finished_at = null, error = null, given_up = false
    where id = p_job returning * into j;
  if p_unlimited then
    perform rowloom.user_day_add(u.id, rowloom.utc_day(v_now), 0, 0, p_rows);
  end if;
  return jsonb_build_object('started', true, 'job', to_jsonb(j));
end $$;

-- Runs all rows of a locked job that have not succeeded. → as job_run
create function rowloom.job_run_all(
  p_job uuid, p_per_row integer, p_unlimited boolean, p_standing bigint, p_bounds jsonb
) returns jsonb language plpgsql as $$
declare
  j jobs%rowtype;
  v_run jsonb;
begin
  select * into j from jobs where id = p_job;
  if j.rows_total = j.rows_skipped + j.rows_succeeded then
    -- Its samples were all there is to work.
    update jobs set status = 'completed', finished_at = clock_timestamp(), progress_at = clock_timestamp(),
        started_at = coalesce(started_at, clock_timestamp()), error = null
      where id = p_job returning * into j;
    perform rowloom.job_end_notify(p_job);
    return jsonb_build_object('started', true, 'job', to_jsonb(j));
  end if;
  v_run := rowloom.job_run(
    p_job, j.rows_total - j.rows_skipped - j.rows_succeeded, p_per_row, p_unlimited, p_standing, p_bounds);
  if not (v_run ->> 'started')::boolean then return v_run; end if;
  update job_chunks set status = 'pending', rows_failed = 0, todo = null, fruitless_leases = 0,
      lease_token = null, lease_until = null
    where job_id = p_job and rows_succeeded + rows_skipped < row_count
      and (rows_failed > 0 or todo is not null or fruitless_leases > 0 or lease_token is not null);
  update jobs set rows_failed = 0, rows_done = rows_succeeded + rows_skipped where id = p_job returning * into j;
  return jsonb_build_object('started', true, 'job', to_jsonb(j));
end $$;

-- Runs chosen rows of a locked job, counted from 0, whatever came of them before; what they had stands until they are
-- done. p_returns_to: the job's status afterwards, where other rows are left. RL409 row_skipped. → as job_run
create function rowloom.job_run_rows(
  p_job uuid, p_rows integer[], p_returns_to text, p_per_row integer, p_unlimited boolean, p_standing bigint,
  p_bounds jsonb
) returns jsonb language plpgsql as $$
declare
  j jobs%rowtype;
  v_skipped integer;
  v_run jsonb;
begin
  select * into j from jobs where id = p_job;
  if exists (select 1 from unnest(p_rows) r where r < 0 or r >= j.rows_total) then
    raise exception using errcode = 'RL409', message = 'row_skipped', detail = 'none';
  end if;
  with places as (
    select c.index, c.first_row, array_agg(r - c.first_row) as positions
      from unnest(p_rows) r join job_chunks c
        on c.job_id = p_job and c.first_row <= r and r < c.first_row + c.row_count
      where c.rows_skipped > 0 group by c.index, c.first_row
  )
  select min(p.first_row + i) into v_skipped
    from places p join job_chunks c on c.job_id = p_job and c.index = p.index cross join unnest(p.positions) i
    where c.results -> i ->> 'status' = 'skipped'
      or j.skips_duplicates and c.results ->> i is null and exists (
        select 1 from json_array_elements(c.duplicates) d where (d ->> 0)::integer = i);
  if v_skipped is not null then
    raise exception using errcode = 'RL409', message = 'row_skipped', detail = v_skipped;
  end if;
  v_run := rowloom.job_run(p_job, cardinality(p_rows), p_per_row, p_unlimited, p_standing, p_bounds);
  if not (v_run ->> 'started')::boolean then return v_run; end if;
  with places as (
    select c.index, array_agg(r - c.first_row order by r) as todo
      from unnest(p_rows) r join job_chunks c
        on c.job_id = p_job and c.first_row <= r and r < c.first_row + c.row_count
      group by c.index
  ), chosen as (
    select p.index, p.todo, n.succeeded, n.failed
      from places p join job_chunks c on c.job_id = p_job and c.index = p.index cross join lateral (
        select count(*) filter (where status = 'ok')::integer as succeeded,
            count(*) filter (where status = 'error')::integer as failed
          from (select rowloom.result_status(e.r) as status
            from json_array_elements(c.results) with ordinality as e(r, n) where e.n - 1 = any(p.todo)) s) n
  ), chunks as (
    update job_chunks c set todo = n.todo, status = 'pending', rows_succeeded = c.rows_succeeded - n.succeeded,
        rows_failed = c.rows_failed - n.failed, fruitless_leases = 0, lease_token = null, lease_until = null
      from chosen n where c.job_id = p_job and c.index = n.index
  ), sums as (
    select coalesce(sum(succeeded), 0)::integer as succeeded, coalesce(sum(failed), 0)::integer as failed from chosen
  )
  update jobs set returns_to = p_returns_to, rows_succeeded = rows_succeeded - s.succeeded,
      rows_failed = rows_failed - s.failed, rows_done = rows_done - s.succeeded - s.failed
    from sums s where id = p_job returning jobs.* into j;
  return jsonb_build_object('started', true, 'job', to_jsonb(j));
end $$;

-- Skips the rows of a job that are the same as one above them, or does so no more; those that were worked stay as
-- they are. Its row is locked.
create function rowloom.job_skip_duplicates(p_job uuid, p_skip boolean) returns void
language plpgsql as $$
begin
  with found as (
    select k.index, case when p_skip then count(*) else -count(*) end::integer as rows
      from job_chunks k cross join lateral json_array_elements(k.duplicates) d
      where k.job_id = p_job and k.duplicates is not null and k.results ->> (d ->> 0)::integer is null
      group by k.index
  ), chunks as (
    update job_chunks c set rows_skipped = c.rows_skipped + f.rows,
        status = case when c.rows_succeeded + c.rows_failed + c.rows_skipped + f.rows = c.row_count
          then 'done' else 'pending' end
      from found f where c.job_id = p_job and c.index = f.index
  )
  update jobs set skips_duplicates = p_skip,
      rows_skipped = rows_skipped + coalesce((select sum(rows) from found), 0)::integer,
      rows_done = rows_done + coalesce((select sum(rows) from found), 0)::integer
    where id = p_job;
end $$;

-- Starts a job whose rows are all stored, or leaves it awaiting credits; one that starts by hand stays ready, before
-- its start and where that is refused. p_upload null: a start by hand, or after buying credits. p_header: the file's
-- columns; p_warnings: what its reader noticed; p_input: how it was read. Rows that are more than may be
-- stored are dropped, and the upload with them. → as job_run
create function rowloom.job_start(
  p_job uuid, p_user uuid, p_per_row integer, p_unlimited boolean, p_standing bigint, p_bounds jsonb,
  p_upload uuid default null, p_header jsonb default null, p_warnings jsonb default null, p_input jsonb default null
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
    update jobs set status = case when options ->> 'start' = 'manual' then 'ready' else 'awaiting_credits' end,
        upload_id = null, header = p_header, input = p_input, settings_version = settings_version + 1,
        warnings = coalesce(p_warnings, '[]'), progress_at = clock_timestamp(), bytes_stored = v_bytes,
        chunks_total = c.chunks, rows_total = c.rows, rows_empty = c.skipped, rows_skipped = c.skipped,
        rows_done = c.skipped, rows_duplicate = c.duplicates
      from (select count(*) as chunks, coalesce(sum(row_count), 0) as rows, coalesce(sum(rows_skipped), 0) as skipped,
                coalesce(sum(json_array_length(duplicates)), 0) as duplicates
              from job_chunks where job_id = p_job) c
      where id = p_job;
    if j.skips_duplicates then
      perform rowloom.job_skip_duplicates(p_job, true);
    end if;
    select * into j from jobs where id = p_job;
    if j.status = 'ready' then
      return jsonb_build_object('started', true, 'job', to_jsonb(j));
    end if;
  elsif p_upload is null and j.status in ('running', 'completed') then
    if rowloom.is_sample(j) then
      raise exception using errcode = 'RL409', message = 'job_running', detail = 'sample';
    end if;
    return jsonb_build_object('started', true, 'job', to_jsonb(j));
  elsif p_upload is not null then
    raise exception using errcode = 'RL409', message = 'upload_superseded';
  elsif j.status not in ('awaiting_credits', 'ready') then
    raise exception using errcode = 'RL409', message = 'job_not_open', detail = j.status;
  end if;
  return rowloom.job_run_all(p_job, p_per_row, p_unlimited, p_standing, p_bounds);
end $$;
