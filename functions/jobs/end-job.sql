-- Ends the present run of a job, once, and leaves the job in p_status: rows that were to be worked and have not
-- succeeded give their credits back, or their part of an unlimited plan's day. p_error: why nothing of it could be
-- worked. Its row is locked.
create function rowloom.job_end(p_job uuid, p_status text, p_error text default null) returns void
language plpgsql as $$
declare
  j jobs%rowtype;
  v_paid integer;
  v_unpaid integer;
  v_released integer;
begin
  select * into j from jobs where id = p_job and (status = 'running' or status = 'paused' and run_open) for update;
  if not found then return; end if;
  v_paid := rowloom.run_succeeded(j);
  v_unpaid := j.rows_total - j.rows_skipped - j.rows_kept - v_paid;
  if p_status = 'cancelled' then
    perform rowloom.job_recount(p_job);
  end if;
  perform rowloom.ledger_release(j.user_id, p_job, j.run, v_unpaid::bigint * j.credits_per_row, v_paid);
  if not j.metered then
    perform rowloom.user_day_add(j.user_id, rowloom.utc_day(j.started_at), 0, 0, -v_unpaid);
  end if;
  v_released := case when j.metered then v_unpaid * j.credits_per_row else 0 end;
  update jobs set status = p_status, error = p_error, run_open = false, cancel_at = null,
      returns_to = case when p_status = 'paused' then returns_to end,
      finished_at = case when p_status in ('completed', 'cancelled', 'failed') then clock_timestamp() end,
      progress_at = clock_timestamp(),
      credits_charged = credits_charged + credits_held - v_released,
      credits_released = credits_released + v_released,
      credits_held = 0, bytes_stored = rowloom.job_bytes(p_job)
    where id = p_job;
  perform rowloom.job_end_notify(p_job);
end $$;

-- Whether credits are on hold for a run: it is worked, or paused and what was under way may still commit.
create function rowloom.has_run(j jobs) returns boolean
language sql immutable as $$ select j.status = 'running' or j.status = 'paused' and j.run_open $$;

-- Whether the run of chosen rows is a sample, before the job's own.
create function rowloom.is_sample(j jobs) returns boolean
language sql immutable as $$ select coalesce(j.returns_to in ('ready', 'awaiting_credits'), false) $$;

-- Rows that the present run is paid for. A version before this one counts only all rows of a job: of a run that began
-- with a generation those above what was kept are this run's.
create function rowloom.run_succeeded(j jobs) returns integer
language sql immutable as $$
  select case when j.returns_to is null and (j.generation = j.run or not j.run_open)
    then j.rows_succeeded - j.rows_kept else j.run_succeeded end
$$;

-- The generation of a run; one that an older version has begun is its own.
create function rowloom.run_generation(j jobs) returns integer
language sql immutable as $$ select case when j.run_open then j.generation else j.run end $$;

-- Leaves word for the notifyUrl of a job that has ended: it is sent after the commit, or by a sweep.
create function rowloom.job_end_notify(p_job uuid) returns void
language sql as $$
  insert into notifications (job_id, run, url)
    select id, run, options ->> 'notifyUrl' from jobs
      where id = p_job and status in ('completed', 'cancelled', 'failed') and options ->> 'notifyUrl' is not null
    on conflict do nothing
$$;

-- What a reader sees of a stored result: that of a row which is being worked again stands until it is done.
create function rowloom.result_status(p_result json) returns text
language sql immutable as $$
  select case p_result ->> 'status' when 'begun' then p_result -> 'before' ->> 'status' else p_result ->> 'status' end
$$;

-- Counts anew what chunks with rows left have, when nobody will work those: what was chosen to be worked again keeps
-- the result that it had.
create function rowloom.job_recount(p_job uuid) returns void
language plpgsql as $$
begin
  with counted as (
    select k.index, k.rows_succeeded as succeeded_before, k.rows_failed as failed_before, n.succeeded, n.failed
      from job_chunks k cross join lateral (
        select count(*) filter (where status = 'ok')::integer as succeeded,
            count(*) filter (where status = 'error')::integer as failed
          from (select rowloom.result_status(r) as status from json_array_elements(k.results) r) s) n
      where k.job_id = p_job and k.status = 'pending' and (k.results is not null or k.todo is not null)
      order by k.index for update of k
  ), corrected as (
    update job_chunks c set todo = null, rows_succeeded = n.succeeded, rows_failed = n.failed,
        status = case when n.succeeded + n.failed + c.rows_skipped = c.row_count then 'done' else 'pending' end
      from counted n where c.job_id = p_job and c.index = n.index
  ), sums as (
    select coalesce(sum(succeeded - succeeded_before), 0)::integer as succeeded,
        coalesce(sum(failed - failed_before), 0)::integer as failed from counted
  )
  update jobs set rows_succeeded = rows_succeeded + s.succeeded, rows_failed = rows_failed + s.failed,
      rows_done = rows_done + s.succeeded + s.failed
    from sums s where id = p_job and (s.succeeded <> 0 or s.failed <> 0);
end $$;
