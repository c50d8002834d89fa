-- Ends a running job, once: rows that have not succeeded give their credits back. Its row is locked.
create function rowloom.job_end(p_job uuid, p_status text) returns void
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
