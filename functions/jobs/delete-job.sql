-- Takes a job and its rows away. The row stays for the ledger's sake, without content.
-- → {stopped: whether it was running, run}
create function rowloom.job_delete(p_job uuid, p_user uuid) returns jsonb
language plpgsql as $$
declare j jobs := rowloom.job_lock(p_job, p_user);
begin
  perform rowloom.job_end(p_job, 'cancelled');
  delete from job_chunks where job_id = p_job;
  delete from notifications where job_id = p_job;
  update jobs set deleted_at = clock_timestamp(), purged_at = clock_timestamp(),
      status = case when status in ('created', 'uploading', 'awaiting_credits', 'ready', 'paused') then 'cancelled' else status end,
      finished_at = coalesce(finished_at, clock_timestamp()), upload_id = null, bytes_stored = 0,
      filename = '', prompt = '', columns = null, header = null, options = '{}', sender = null, input = null, idempotency_key = null, request_hash = null
    where id = p_job;
  return jsonb_build_object('stopped', rowloom.has_run(j), 'run', j.run);
end $$;
