-- Removes rows and results of at most p_limit jobs that ended, or were left lying, p_days ago.
-- → how many
create function rowloom.jobs_purge(p_days integer, p_limit integer) returns integer
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
      bytes_stored = 0,
      status = case when status in ('created', 'uploading', 'awaiting_credits') then 'cancelled' else status end,
      finished_at = coalesce(finished_at, clock_timestamp())
    where id = any(v_jobs);
  return cardinality(v_jobs);
end $$;
