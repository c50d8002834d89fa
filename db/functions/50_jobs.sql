-- A job's life. Lock order everywhere: the job, before its chunks and its user.

-- Locks a user's job. RL404 when it is not there, is somebody else's or was deleted.
create or replace function rowloom.job_lock(p_job uuid, p_user uuid) returns jobs
language plpgsql as $$
declare j jobs%rowtype;
begin
  select * into j from jobs where id = p_job and user_id = p_user and deleted_at is null for update;
  if not found then
    raise exception using errcode = 'RL404', message = 'job_not_found';
  end if;
  return j;
end $$;

-- Begins an upload: rows of an earlier one that was cut off are dropped with it.
-- → the job row. RL409 job_not_open once the job has run or was cancelled.
create or replace function rowloom.job_upload_begin(p_job uuid, p_user uuid, p_upload uuid) returns jsonb
language plpgsql as $$
declare j jobs := rowloom.job_lock(p_job, p_user);
begin
  if j.status not in ('created', 'uploading', 'awaiting_credits') then
    raise exception using errcode = 'RL409', message = 'job_not_open', detail = j.status;
  end if;
  delete from job_chunks where job_id = p_job;
  update jobs set status = 'uploading', upload_id = p_upload, header = null, error = null,
      rows_total = 0, chunks_total = 0, progress_at = clock_timestamp()
    where id = p_job returning * into j;
  return to_jsonb(j);
end $$;

-- Stores consecutive chunks of the current upload: one line of p_lines each, its rows as JSON without
-- raw line ends; p_counts their rows. A text is parsed once, an array of JSON three times.
-- RL409 when another upload has taken over; the share lock makes that upload wait for this insert, or
-- this insert see it. Several of one upload may run side by side.
create or replace function rowloom.job_upload_append(
  p_job uuid, p_upload uuid, p_index integer, p_first_row integer, p_counts integer[], p_lines text
) returns void language plpgsql as $$
begin
  perform 1 from jobs where id = p_job and upload_id = p_upload and status = 'uploading' for share;
  if not found then
    raise exception using errcode = 'RL409', message = 'upload_superseded';
  end if;
  -- A line too many or too few is a null, which the table refuses.
  insert into job_chunks (job_id, index, first_row, row_count, rows)
    select p_job, p_index + n - 1, p_first_row + sum(row_count) over (order by n) - row_count,
        row_count, line::json
      from rows from (string_to_table(p_lines, E'\n'), unnest(p_counts))
        with ordinality as chunk(line, row_count, n);
end $$;

-- Gives an upload up: its rows go, the job is as before it.
create or replace function rowloom.job_upload_abort(p_job uuid, p_upload uuid) returns void
language plpgsql as $$
begin
  update jobs set status = 'created', upload_id = null
    where id = p_job and upload_id = p_upload and status = 'uploading';
  if found then delete from job_chunks where job_id = p_job; end if;
end $$;

-- Holds the credits of p_rows rows and sets a locked job running, as its next attempt; with too few
-- credits nothing changes. → {started, job, required, balance}
create or replace function rowloom.job_run(p_job uuid, p_rows integer, p_per_row integer) returns jsonb
language plpgsql as $$
declare
  j jobs%rowtype;
  v_required integer := p_rows * p_per_row;
  v_balance integer;
  v_unlimited boolean;
begin
  select * into j from jobs where id = p_job;
  select credits_balance, unlimited into v_balance, v_unlimited
    from users where id = j.user_id for no key update;
  if not v_unlimited and v_balance < v_required then
    return jsonb_build_object('started', false, 'job', to_jsonb(j), 'required', v_required, 'balance', v_balance);
  end if;
  if not v_unlimited then
    perform rowloom.ledger_post(j.user_id, 'HOLD', v_required, 'hold',
      format('hold:%s:%s', p_job, j.attempt + 1), 'job', p_job::text, p_job => p_job);
  end if;
  update jobs set status = 'running', attempt = j.attempt + 1, chunks_dispatched = 0, revivals = 0,
      rows_kept = rows_succeeded, rows_done = rows_succeeded, rows_failed = 0,
      credits_per_row = p_per_row, metered = not v_unlimited,
      credits_held = case when v_unlimited then 0 else v_required end,
      started_at = clock_timestamp(), progress_at = clock_timestamp(), dispatched_at = clock_timestamp(),
      cancel_at = null, finished_at = null, error = null
    where id = p_job returning * into j;
  return jsonb_build_object('started', true, 'job', to_jsonb(j));
end $$;

-- Starts a job whose rows are all stored, or leaves it awaiting credits. p_upload null: a start after
-- buying credits. p_header: the file's columns. → as job_run
create or replace function rowloom.job_start(
  p_job uuid, p_user uuid, p_upload uuid, p_header jsonb, p_per_row integer
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
  elsif p_upload is not null then
    raise exception using errcode = 'RL409', message = 'upload_superseded';
  elsif j.status <> 'awaiting_credits' then
    raise exception using errcode = 'RL409', message = 'job_not_open', detail = j.status;
  end if;
  return rowloom.job_run(p_job, j.rows_total, p_per_row);
end $$;

-- Runs the rows of an ended job that have not succeeded, for a hold of their own. What failed before
-- stands in the results until it is worked again. → as job_run
create or replace function rowloom.job_retry(p_job uuid, p_user uuid, p_per_row integer) returns jsonb
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
  v_run := rowloom.job_run(p_job, j.rows_total - j.rows_succeeded, p_per_row);
  if (v_run ->> 'started')::boolean then
    update job_chunks set status = 'pending', rows_failed = 0, attempts = 0,
        lease_token = null, lease_until = null
      where job_id = p_job and rows_succeeded < row_count;
  end if;
  return v_run;
end $$;

-- Marks what is published and gives what comes next: pending chunks from p_from on, at most p_limit,
-- in order. → {chunks: [{index, part}], from}; from is where the next call goes on. Null once the
-- attempt is over.
create or replace function rowloom.job_dispatch(p_job uuid, p_attempt integer, p_from integer, p_limit integer)
returns jsonb language plpgsql as $$
declare
  v_total integer;
  v_chunks jsonb;
  v_next integer;
begin
  update jobs set chunks_dispatched = greatest(chunks_dispatched, p_from), dispatched_at = clock_timestamp()
    where id = p_job and attempt = p_attempt and status = 'running'
    returning chunks_total into v_total;
  if not found then return null; end if;
  select coalesce(jsonb_agg(jsonb_build_object('index', c.index, 'part', c.part) order by c.index), '[]'),
      case when count(*) = p_limit then max(c.index) + 1 else v_total end
    into v_chunks, v_next
    from (select index, part from job_chunks where job_id = p_job and index >= p_from and status = 'pending'
            order by index limit p_limit) c;
  return jsonb_build_object('chunks', v_chunks, 'from', v_next);
end $$;

-- Ends a running job, once: rows that have not succeeded give their credits back. Its row is locked.
create or replace function rowloom.job_end(p_job uuid, p_status text) returns void
language plpgsql as $$
declare
  j jobs%rowtype;
  v_released integer := 0;
begin
  select * into j from jobs where id = p_job and status = 'running' for update;
  if not found then return; end if;
  if j.metered then
    v_released := (j.rows_total - j.rows_succeeded) * j.credits_per_row;
    perform rowloom.ledger_post(j.user_id, 'RELEASE', v_released, 'release',
      format('release:%s:%s', p_job, j.attempt), 'job', p_job::text,
      p_ref => format('hold:%s:%s', p_job, j.attempt), p_settle => j.credits_held, p_job => p_job,
      p_details => jsonb_build_object('charged', j.credits_held - v_released));
  else
    perform rowloom.ledger_post(j.user_id, 'RECORD', 0, 'usage',
      format('usage:%s:%s', p_job, j.attempt), 'job', p_job::text, p_job => p_job,
      p_details => jsonb_build_object('rows', j.rows_succeeded - j.rows_kept));
  end if;
  update jobs set status = p_status, finished_at = clock_timestamp(), progress_at = clock_timestamp(),
      credits_charged = credits_charged + credits_held - v_released,
      credits_released = credits_released + v_released,
      credits_held = 0
    where id = p_job;
end $$;

-- Begins to cancel a running job: no chunk is begun any more; what is finished of those being worked can
-- still be committed. → {attempt, atWork: how many those are}, null when the job is not running
create or replace function rowloom.job_cancel_begin(p_job uuid, p_user uuid) returns jsonb
language plpgsql as $$
declare j jobs := rowloom.job_lock(p_job, p_user);
begin
  if j.status <> 'running' then return null; end if;
  update jobs set cancel_at = coalesce(cancel_at, clock_timestamp()) where id = p_job;
  return jsonb_build_object('attempt', j.attempt, 'atWork', (
    select count(*) from job_chunks
      where job_id = p_job and status = 'pending' and lease_until > clock_timestamp()));
end $$;

-- Ends jobs whose cancel was begun and never finished. → their {job, attempt}
create or replace function rowloom.jobs_cancel_overdue() returns setof jsonb language plpgsql as $$
declare j jobs%rowtype;
begin
  for j in select * from jobs where status = 'running' and cancel_at < clock_timestamp() - interval '30 seconds'
      for update skip locked loop
    perform rowloom.job_end(j.id, 'cancelled');
    return next jsonb_build_object('job', j.id, 'attempt', j.attempt);
  end loop;
end $$;

-- Ends a job on its user's word, whatever its state; a second time changes nothing. Rows that are
-- finished stay, rows of an upload that was under way go. → the job row
create or replace function rowloom.job_cancel(p_job uuid, p_user uuid) returns jsonb
language plpgsql as $$
declare
  j jobs := rowloom.job_lock(p_job, p_user);
  v_was text := j.status;
begin
  if v_was in ('completed', 'failed') then
    raise exception using errcode = 'RL409', message = 'job_not_open', detail = v_was;
  elsif v_was = 'running' then
    perform rowloom.job_end(p_job, 'cancelled');
  elsif v_was <> 'cancelled' then
    if v_was = 'uploading' then
      delete from job_chunks where job_id = p_job;
    end if;
    update jobs set status = 'cancelled', upload_id = null, finished_at = clock_timestamp() where id = p_job;
  end if;
  select * into j from jobs where id = p_job;
  return to_jsonb(j);
end $$;

-- Takes a job and its rows away. The row stays for the ledger's sake, without content.
-- → {stopped: whether it was running, attempt}
create or replace function rowloom.job_delete(p_job uuid, p_user uuid) returns jsonb
language plpgsql as $$
declare j jobs := rowloom.job_lock(p_job, p_user);
begin
  perform rowloom.job_end(p_job, 'cancelled');
  delete from job_chunks where job_id = p_job;
  update jobs set deleted_at = clock_timestamp(), purged_at = clock_timestamp(),
      status = case when status in ('created', 'uploading', 'awaiting_credits') then 'cancelled' else status end,
      finished_at = coalesce(finished_at, clock_timestamp()), upload_id = null,
      filename = '', prompt = '', columns = null, header = null, idempotency_key = null, request_hash = null
    where id = p_job;
  return jsonb_build_object('stopped', j.status = 'running', 'attempt', j.attempt);
end $$;

-- Removes rows and results of at most p_limit jobs that ended, or were left lying, p_days ago.
-- → how many
create or replace function rowloom.jobs_purge(p_days integer, p_limit integer) returns integer
language plpgsql as $$
declare v_jobs uuid[];
begin
  v_jobs := array(
    select id from jobs
      where purged_at is null and status <> 'running'
        and coalesce(finished_at, progress_at, created_at) < clock_timestamp() - p_days * interval '1 day'
      order by coalesce(finished_at, progress_at, created_at) limit p_limit for update skip locked);
  delete from job_chunks where job_id = any(v_jobs);
  update jobs set purged_at = clock_timestamp(), upload_id = null, header = null, columns = null,
      status = case when status in ('created', 'uploading', 'awaiting_credits') then 'cancelled' else status end,
      finished_at = coalesce(finished_at, clock_timestamp())
    where id = any(v_jobs);
  return cardinality(v_jobs);
end $$;
