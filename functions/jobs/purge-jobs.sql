-- Removes rows and results of jobs that ended, or were left lying, p_days ago, the oldest first: at most p_chunks
-- chunks and p_bytes of them, and of at most 100 jobs, so that nobody waits for it. A job whose chunks begin to go
-- loses its header at once, by which everybody knows; purged_at comes with its last chunk.
-- → {jobs: how many were purged, chunks: how many went, isMore}
create function rowloom.jobs_purge(p_days integer, p_chunks integer, p_bytes bigint) returns jsonb
language plpgsql as $$
declare
  v_job record;
  v_found integer := 0;
  v_jobs integer := 0;
  v_chunks integer := 0;
  v_bytes bigint := 0;
  v_gone record;
begin
  for v_job in
    select id from jobs
      where purged_at is null and status <> 'running'
        and coalesce(finished_at, progress_at, created_at) < clock_timestamp() - p_days * interval '1 day'
      order by coalesce(finished_at, progress_at, created_at) limit 100 for update skip locked
  loop
    v_found := v_found + 1;
    with page as (
      select index, pg_column_size(rows) + coalesce(pg_column_size(results), 0) as bytes,
          row_number() over (order by index) as position,
          sum(pg_column_size(rows) + coalesce(pg_column_size(results), 0)) over (order by index) as bytes_so_far
        from (select index, rows, results from job_chunks where job_id = v_job.id
                order by index limit p_chunks - v_chunks) first
    ), gone as (
      delete from job_chunks where job_id = v_job.id and index <= (
        select max(index) from page where position = 1 or v_bytes + bytes_so_far <= p_bytes) returning index
    )
    select (select count(*)::integer from gone) as chunks,
        (select coalesce(sum(bytes), 0) from page where index <= (select max(index) from gone)) as bytes
      into v_gone;
    v_chunks := v_chunks + v_gone.chunks;
    v_bytes := v_bytes + v_gone.bytes;
    -- Not finished_at before the end: by it the rest is found first by the next page.
    update jobs set header = null, columns = null, upload_id = null,
        status = case when status in ('created', 'uploading', 'awaiting_credits', 'ready', 'paused') then 'cancelled' else status end
      where id = v_job.id and (header is not null or columns is not null or upload_id is not null
        or status in ('created', 'uploading', 'awaiting_credits', 'ready', 'paused'));
    if not exists (select 1 from job_chunks where job_id = v_job.id) then
      update jobs set purged_at = clock_timestamp(), finished_at = coalesce(finished_at, clock_timestamp()), bytes_stored = 0
        where id = v_job.id;
      v_jobs := v_jobs + 1;
    end if;
    if v_chunks >= p_chunks or v_bytes >= p_bytes then
      return jsonb_build_object('jobs', v_jobs, 'chunks', v_chunks, 'isMore', true);
    end if;
  end loop;
  return jsonb_build_object('jobs', v_jobs, 'chunks', v_chunks, 'isMore', v_found = 100);
end $$;
