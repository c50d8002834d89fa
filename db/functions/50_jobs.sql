-- A job's life. Lock order everywhere: job, then chunk, then user.

-- Begins an upload: rows of an earlier one that was cut off are dropped with it.
-- → the job row, or null when the job is not open for an upload.
create or replace function rowloom.job_upload_begin(p_job uuid, p_user uuid, p_upload uuid) returns jsonb
language plpgsql as $$
declare j jobs%rowtype;
begin
  select * into j from jobs where id = p_job and user_id = p_user for update;
  if not found then
    raise exception using errcode = 'RL404', message = 'job_not_found';
  end if;
  if j.status not in ('created', 'uploading', 'awaiting_credits') then
    raise exception using errcode = 'RL409', message = 'job_not_open', detail = j.status;
  end if;
  delete from job_chunks where job_id = p_job;
  update jobs set status = 'uploading', upload_id = p_upload, header = null, error = null,
      rows_total = 0, chunks_total = 0
    where id = p_job returning * into j;
  return to_jsonb(j);
end $$;

-- Stores chunks of the current upload: p_chunks [{index, firstRow, rows}]. RL409 when another upload
-- has taken over; the share lock makes that upload wait for this insert, or this insert see it.
create or replace function rowloom.job_upload_append(p_job uuid, p_upload uuid, p_chunks json) returns void
language plpgsql as $$
begin
  perform 1 from jobs where id = p_job and upload_id = p_upload and status = 'uploading' for share;
  if not found then
    raise exception using errcode = 'RL409', message = 'upload_superseded';
  end if;
  insert into job_chunks (job_id, index, first_row, row_count, rows)
    select p_job, (c ->> 'index')::integer, (c ->> 'firstRow')::integer,
        json_array_length(c -> 'rows'), c -> 'rows'
      from json_array_elements(p_chunks) c;
end $$;

-- Gives an upload up: its rows go, the job is as before it.
create or replace function rowloom.job_upload_abort(p_job uuid, p_upload uuid) returns void
language plpgsql as $$
begin
  update jobs set status = 'created', upload_id = null
    where id = p_job and upload_id = p_upload and status = 'uploading';
  if found then delete from job_chunks where job_id = p_job; end if;
end $$;

-- Starts a job whose rows are all stored: holds one credit a row (times p_per_row) or leaves it
-- awaiting credits. p_upload null: a start after buying credits. p_header: the file's columns.
-- → {job, required, balance, started}
create or replace function rowloom.job_start(
  p_job uuid, p_user uuid, p_upload uuid, p_header jsonb, p_per_row integer
) returns jsonb language plpgsql as $$
declare
  j jobs%rowtype;
  v_required integer;
  v_balance integer;
  v_unlimited boolean;
begin
  select * into j from jobs where id = p_job and user_id = p_user for update;
  if not found then
    raise exception using errcode = 'RL404', message = 'job_not_found';
  end if;
  if j.status = 'uploading' and j.upload_id = p_upload then
    select count(*), coalesce(sum(row_count), 0) into j.chunks_total, j.rows_total
      from job_chunks where job_id = p_job;
    j.header := p_header;
  elsif p_upload is not null then
    raise exception using errcode = 'RL409', message = 'upload_superseded';
  elsif j.status <> 'awaiting_credits' then
    raise exception using errcode = 'RL409', message = 'job_not_open', detail = j.status;
  end if;

  v_required := j.rows_total * p_per_row;
  select credits_balance, unlimited into v_balance, v_unlimited from users where id = p_user for no key update;
  if not v_unlimited and v_balance < v_required then
    update jobs set status = 'awaiting_credits', upload_id = null, header = j.header,
        rows_total = j.rows_total, chunks_total = j.chunks_total
      where id = p_job returning * into j;
    return jsonb_build_object('started', false, 'job', to_jsonb(j), 'required', v_required, 'balance', v_balance);
  end if;
  if not v_unlimited then
    perform rowloom.ledger_post(p_user, 'HOLD', v_required, 'hold',
      format('hold:%s:%s', p_job, j.attempt + 1), 'job', p_job::text, p_job => p_job);
  end if;
  update jobs set status = 'running', upload_id = null, attempt = j.attempt + 1, header = j.header,
      rows_total = j.rows_total, chunks_total = j.chunks_total, chunks_dispatched = 0,
      credits_per_row = p_per_row, metered = not v_unlimited,
      credits_held = case when v_unlimited then 0 else v_required end,
      started_at = clock_timestamp(), progress_at = clock_timestamp()
    where id = p_job returning * into j;
  return jsonb_build_object('started', true, 'job', to_jsonb(j));
end $$;

-- Ends a job, once: rows that did not succeed give their credits back. The job's row is locked.
create or replace function rowloom.job_end(p_job uuid, p_status text) returns void
language plpgsql as $$
declare
  j jobs%rowtype;
  v_charged integer;
begin
  select * into j from jobs where id = p_job and status = 'running' for update;
  if not found then return; end if;
  if j.metered then
    v_charged := j.rows_succeeded * j.credits_per_row;
    perform rowloom.ledger_post(j.user_id, 'RELEASE', j.credits_held - v_charged, 'release',
      format('release:%s:%s', p_job, j.attempt), 'job', p_job::text,
      p_ref => format('hold:%s:%s', p_job, j.attempt), p_settle => j.credits_held, p_job => p_job,
      p_details => jsonb_build_object('charged', v_charged));
  else
    v_charged := 0;
    perform rowloom.ledger_post(j.user_id, 'RECORD', 0, 'usage',
      format('usage:%s:%s', p_job, j.attempt), 'job', p_job::text, p_job => p_job,
      p_details => jsonb_build_object('rows', j.rows_succeeded));
  end if;
  update jobs set status = p_status, finished_at = clock_timestamp(), progress_at = clock_timestamp(),
      credits_charged = credits_charged + v_charged,
      credits_released = credits_released + credits_held - v_charged,
      credits_held = 0
    where id = p_job;
end $$;
