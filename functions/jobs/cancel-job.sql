-- Begins to cancel a running job: no chunk is begun any more; what is finished of those being worked can
-- still be committed. → {run, atWork: how many those are}, null when the job is not running
create function rowloom.job_cancel_begin(p_job uuid, p_user uuid) returns jsonb
language plpgsql as $$
declare j jobs := rowloom.job_lock(p_job, p_user);
begin
  if j.status <> 'running' then return null; end if;
  update jobs set cancel_at = coalesce(cancel_at, clock_timestamp()) where id = p_job;
  return jsonb_build_object('run', j.run, 'atWork', rowloom.chunks_at_work(p_job));
end $$;

-- Ends a job on its user's word, whatever its state; a second time changes nothing. Rows that are
-- finished stay, rows of an upload that was under way go. → the job row
create function rowloom.job_cancel(p_job uuid, p_user uuid) returns jsonb
language plpgsql as $$
declare
  j jobs := rowloom.job_lock(p_job, p_user);
  v_was text := j.status;
begin
  if v_was in ('completed', 'failed') then
    raise exception using errcode = 'RL409', message = 'job_not_open', detail = v_was;
  elsif rowloom.has_run(j) then
    perform rowloom.job_end(p_job, 'cancelled');
  elsif v_was <> 'cancelled' then
    if v_was = 'uploading' then
      delete from job_chunks where job_id = p_job;
    end if;
    perform rowloom.job_recount(p_job);
    update jobs set status = 'cancelled', upload_id = null, returns_to = null, pause_at = null,
        finished_at = clock_timestamp() where id = p_job;
    perform rowloom.job_end_notify(p_job);
  end if;
  select * into j from jobs where id = p_job;
  return to_jsonb(j);
end $$;
