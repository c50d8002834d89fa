-- Ends a running job, once: rows that were to be worked and have not succeeded give their credits back, or their
-- part of an unlimited plan's day. Its row is locked. p_error: why nothing of it could be worked.
create function rowloom.job_end(p_job uuid, p_status text, p_error text default null) returns void
language plpgsql as $$
declare
  j jobs%rowtype;
  v_back integer;
  v_released integer;
begin
  select * into j from jobs where id = p_job and status = 'running' for update;
  if not found then return; end if;
  v_back := (j.rows_total - j.rows_skipped - j.rows_succeeded) * j.credits_per_row;
  perform rowloom.ledger_release(j.user_id, p_job, j.run, v_back, j.rows_succeeded - j.rows_kept);
  if not j.metered then
    perform rowloom.user_day_add(j.user_id, rowloom.utc_day(j.started_at), 0, 0,
      -(j.rows_total - j.rows_skipped - j.rows_succeeded));
  end if;
  v_released := case when j.metered then v_back else 0 end;
  update jobs set status = p_status, error = p_error, finished_at = clock_timestamp(), progress_at = clock_timestamp(),
      credits_charged = credits_charged + credits_held - v_released,
      credits_released = credits_released + v_released,
      credits_held = 0, bytes_stored = rowloom.job_bytes(p_job)
    where id = p_job;
end $$;
