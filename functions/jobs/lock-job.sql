-- Lock order everywhere: the job, before its chunks and its user.

-- Locks a user's job. RL404 when it is not there, is somebody else's or was deleted.
create function rowloom.job_lock(p_job uuid, p_user uuid) returns jobs
language plpgsql as $$
declare j jobs%rowtype;
begin
  select * into j from jobs where id = p_job and user_id = p_user and deleted_at is null for update;
  if not found then
    raise exception using errcode = 'RL404', message = 'job_not_found';
  end if;
  return j;
end $$;
