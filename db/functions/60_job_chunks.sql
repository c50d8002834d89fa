-- Takes the lease on a chunk.
-- → {outcome: leased, chunk {index, firstRow, rows, attempts}, job {…}} | {outcome: done | gone}
--   | {outcome: busy, retryAfterSeconds}
create or replace function rowloom.chunk_lease(
  p_job uuid, p_attempt integer, p_index integer, p_token uuid, p_seconds integer
) returns json language plpgsql as $$
declare
  c job_chunks%rowtype;
  j jobs%rowtype;
begin
  select * into j from jobs where id = p_job;
  if not found or j.status <> 'running' or j.attempt <> p_attempt then
    return '{"outcome":"gone"}';
  end if;
  update job_chunks set lease_token = p_token, attempts = attempts + 1,
      lease_until = clock_timestamp() + p_seconds * interval '1 second'
    where job_id = p_job and index = p_index and status = 'pending'
      and (lease_until is null or lease_until < clock_timestamp())
    returning * into c;
  if found then
    return json_build_object('outcome', 'leased',
      'chunk', json_build_object('index', c.index, 'firstRow', c.first_row, 'rows', c.rows, 'attempts', c.attempts),
      'job', json_build_object('id', j.id, 'header', j.header, 'prompt', j.prompt, 'processor', j.processor));
  end if;
  select * into c from job_chunks where job_id = p_job and index = p_index;
  if not found then
    return '{"outcome":"gone"}';
  elsif c.status = 'done' then
    return '{"outcome":"done"}';
  end if;
  return json_build_object('outcome', 'busy',
    'retryAfterSeconds', greatest(1, ceil(extract(epoch from c.lease_until - clock_timestamp()))));
end $$;

-- Commits a chunk's results with the job's counters; the last one ends the job.
-- → {outcome: committed | stale | gone, status}. Only the holder of the lease may commit.
create or replace function rowloom.chunk_commit(
  p_job uuid, p_attempt integer, p_index integer, p_token uuid, p_results json, p_succeeded integer, p_failed integer
) returns json language plpgsql as $$
declare j jobs%rowtype;
begin
  select * into j from jobs where id = p_job for update;
  if not found or j.status <> 'running' or j.attempt <> p_attempt then
    return '{"outcome":"gone"}';
  end if;
  update job_chunks set status = 'done', results = p_results, lease_token = null, lease_until = null
    where job_id = p_job and index = p_index and status = 'pending' and lease_token = p_token
      and row_count = p_succeeded + p_failed and json_array_length(p_results) = row_count;
  if not found then
    return '{"outcome":"stale"}';
  end if;
  return json_build_object('outcome', 'committed', 'status', rowloom.job_advance(p_job, p_succeeded, p_failed));
end $$;

-- Turns a chunk that cannot be processed into error rows; changes nothing once it is done.
create or replace function rowloom.chunk_fail(p_job uuid, p_attempt integer, p_index integer, p_reason text)
returns json language plpgsql as $$
declare
  j jobs%rowtype;
  v_rows integer;
begin
  select * into j from jobs where id = p_job for update;
  if not found or j.status <> 'running' or j.attempt <> p_attempt then
    return '{"outcome":"gone"}';
  end if;
  update job_chunks c set status = 'done', lease_token = null, lease_until = null, results = (
      select json_agg(json_build_object('status', 'error', 'error', p_reason)) from generate_series(1, c.row_count))
    where job_id = p_job and index = p_index and status = 'pending'
      and (lease_until is null or lease_until < clock_timestamp())
    returning row_count into v_rows;
  if not found then
    return '{"outcome":"stale"}';
  end if;
  return json_build_object('outcome', 'committed', 'status', rowloom.job_advance(p_job, 0, v_rows));
end $$;

-- Adds finished rows to a locked job and ends it with the last one. → the job's status
create or replace function rowloom.job_advance(p_job uuid, p_succeeded integer, p_failed integer) returns text
language plpgsql as $$
declare j jobs%rowtype;
begin
  update jobs set rows_succeeded = rows_succeeded + p_succeeded, rows_failed = rows_failed + p_failed,
      rows_done = rows_done + p_succeeded + p_failed, progress_at = clock_timestamp()
    where id = p_job returning * into j;
  if j.rows_done = j.rows_total then
    perform rowloom.job_end(p_job, 'completed');
    return 'completed';
  end if;
  return j.status;
end $$;
