-- Holds the credits of p_rows rows and sets a locked job running, as its next attempt; with too few
-- credits nothing changes. → {started, job, required, balance}
create function rowloom.job_run(p_job uuid, p_rows integer, p_per_row integer) returns jsonb
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
create function rowloom.job_start(
  p_job uuid, p_user uuid, p_per_row integer, p_upload uuid default null, p_header jsonb default null
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
