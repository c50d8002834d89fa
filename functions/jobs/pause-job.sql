-- Begins to pause a running job, or to give a sample up: no chunk is begun any more, those being worked finish their
-- rows. → {run, atWork}, null when it is paused already. RL409 job_not_open.
create function rowloom.job_pause_begin(p_job uuid, p_user uuid) returns jsonb
language plpgsql as $$
declare j jobs := rowloom.job_lock(p_job, p_user);
begin
  if j.status = 'paused' then return null; end if;
  if j.status <> 'running' or j.cancel_at is not null then
    raise exception using errcode = 'RL409', message = 'job_not_open', detail = j.status;
  end if;
  update jobs set pause_at = coalesce(pause_at, clock_timestamp()) where id = p_job;
  return jsonb_build_object('run', j.run, 'atWork', rowloom.chunks_at_work(p_job));
end $$;

-- Chunks that somebody holds the lease on.
create function rowloom.chunks_at_work(p_job uuid) returns integer
language sql stable as $$
  select count(*)::integer from job_chunks
    where job_id = p_job and status = 'pending' and lease_until > clock_timestamp()
$$;

-- Pauses a running job, or ends its sample: its hold is given back. Rows of chunks that are being worked are held for
-- by a run of their own, which ends with them; where no credits are left for it, what they bring is refused.
-- RL409 books_behind. → the job row
create function rowloom.job_pause(p_job uuid, p_user uuid) returns jsonb
language plpgsql as $$
declare j jobs := rowloom.job_lock(p_job, p_user);
begin
  if j.status = 'running' and j.pause_at is not null then
    if rowloom.is_sample(j) then
      -- A sample is given up: its rows have what they had.
      perform rowloom.job_recount(p_job);
      update job_chunks set lease_token = null, lease_until = null
        where job_id = p_job and status = 'pending' and lease_token is not null;
      perform rowloom.job_end(p_job, j.returns_to);
    elsif rowloom.job_hold_back(p_job) = 'refold' then
      raise exception using errcode = 'RL409', message = 'books_behind', detail = 'refold';
    end if;
  elsif j.status not in ('paused', 'ready', 'awaiting_credits') then
    raise exception using errcode = 'RL409', message = 'job_not_open', detail = j.status;
  end if;
  select * into j from jobs where id = p_job;
  return to_jsonb(j);
end $$;

-- The same of a locked job. → held | insufficient | suspended | refold, as the hold of what is being worked says
create function rowloom.job_hold_back(p_job uuid) returns text
language plpgsql as $$
declare
  j jobs%rowtype;
  v_rows integer;
  v_hold text := 'held';
begin
  -- Whoever has outlived its lease has no say any more.
  update job_chunks set lease_token = null, lease_until = null
    where job_id = p_job and status = 'pending' and lease_until <= clock_timestamp();
  select coalesce(sum(coalesce(cardinality(todo), row_count - rows_succeeded - rows_failed - rows_skipped)), 0)
    into v_rows from job_chunks where job_id = p_job and status = 'pending' and lease_until is not null;
  perform rowloom.job_end(p_job, 'paused');
  if v_rows = 0 then return v_hold; end if;
  select * into j from jobs where id = p_job;
  v_hold := rowloom.ledger_hold(j.user_id, p_job, j.run + 1, v_rows::bigint * j.credits_per_row, not j.metered,
    (select standing_version from users where id = j.user_id)) ->> 'outcome';
  if v_hold <> 'held' then
    update job_chunks set lease_token = null, lease_until = null
      where job_id = p_job and status = 'pending' and lease_until is not null;
    return v_hold;
  end if;
  update jobs set run = run + 1, run_open = true, run_succeeded = 0, run_failed = 0,
      rows_kept = rows_total - rows_skipped - v_rows, started_at = clock_timestamp(),
      credits_held = case when metered then v_rows * credits_per_row else 0 end,
      credits_released = credits_released - case when metered then v_rows * credits_per_row else 0 end
    where id = p_job;
  if not j.metered then
    perform rowloom.user_day_add(j.user_id, rowloom.utc_day(clock_timestamp()), 0, 0, v_rows);
  end if;
  return v_hold;
end $$;

-- Ends the hold of a locked, paused job once nobody works on it any more.
create function rowloom.job_drained(p_job uuid) returns void
language plpgsql as $$
begin
  if rowloom.chunks_at_work(p_job) = 0 then
    perform rowloom.job_end(p_job, 'paused');
  end if;
end $$;

-- Goes on with a paused job; one that runs is left as it is. What is still being worked from before is part of it.
-- → as job_run
create function rowloom.job_resume(
  p_job uuid, p_user uuid, p_per_row integer, p_unlimited boolean, p_standing bigint, p_bounds jsonb
) returns jsonb language plpgsql as $$
declare
  j jobs := rowloom.job_lock(p_job, p_user);
  v_rows integer;
  v_run jsonb;
begin
  if j.status = 'running' and j.pause_at is null and not rowloom.is_sample(j) then
    return jsonb_build_object('started', true, 'job', to_jsonb(j));
  elsif j.status <> 'paused' then
    raise exception using errcode = 'RL409', message = 'job_not_open',
      detail = case when rowloom.is_sample(j) then 'sample' else j.status end;
  end if;
  select case when j.returns_to is null then j.rows_total - j.rows_done
      else (select coalesce(sum(cardinality(todo)), 0) from job_chunks where job_id = p_job) end into v_rows;
  if v_rows = 0 then
    -- The last of it was worked while it was paused.
    perform rowloom.job_end(p_job, 'paused');
    update jobs set finished_at = clock_timestamp(), pause_at = null, returns_to = null,
        status = case when j.returns_to is not null and rows_done < rows_total then j.returns_to
          when rows_succeeded > 0 then 'completed' else 'failed' end
      where id = p_job returning * into j;
    perform rowloom.job_end_notify(p_job);
    return jsonb_build_object('started', true, 'job', to_jsonb(j));
  end if;
  begin
    perform rowloom.job_end(p_job, 'paused');
    v_run := rowloom.job_run(p_job, v_rows, p_per_row, p_unlimited, p_standing, p_bounds, true);
    if not (v_run ->> 'started')::boolean then
      raise exception using errcode = 'RLBCK', message = 'refused';
    end if;
    -- What the pause has given back is held again.
    update jobs set credits_released = greatest(0, credits_released - credits_held) where id = p_job
      returning jsonb_build_object('started', true, 'job', to_jsonb(jobs)) into v_run;
  exception when sqlstate 'RLBCK' then
    -- It stays paused, and what is being worked keeps its hold.
  end;
  return v_run;
end $$;

-- Finishes pauses that were begun or drain, and whose invocations are gone; at most p_limit.
-- → their [{job, run, user}]
create function rowloom.jobs_pause_overdue(p_limit integer) returns jsonb language plpgsql as $$
declare
  j jobs%rowtype;
  v_ended jsonb := '[]';
begin
  for j in select * from (
      select * from jobs where status = 'running' and pause_at < clock_timestamp() - interval '30 seconds'
          or status = 'paused' and run_open and rowloom.chunks_at_work(id) = 0
        order by pause_at limit p_limit for update skip locked) overdue order by user_id loop
    if j.status = 'running' then
      perform rowloom.job_hold_back(j.id);
    else
      perform rowloom.job_end(j.id, 'paused');
    end if;
    v_ended := v_ended || jsonb_build_object('job', j.id, 'run', j.run, 'user', j.user_id);
  end loop;
  return v_ended;
end $$;
