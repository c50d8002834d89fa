-- Begins an upload: rows of an earlier one that was cut off are dropped with it; one that is under way is
-- taken over. One that has shown no sign of life for a minute is not counted.
-- → the job row. RL409 job_not_open once the job has run or was cancelled, RL429 too_many_uploads and storage_full.
create function rowloom.job_upload_begin(p_job uuid, p_user uuid, p_upload uuid, p_bounds jsonb) returns jsonb
language plpgsql as $$
declare
  j jobs := rowloom.job_lock(p_job, p_user);
  v_limit integer := (p_bounds ->> 'uploads')::integer;
  v_uploads integer;
  v_full jsonb;
begin
  if j.status not in ('created', 'uploading', 'awaiting_credits', 'ready') then
    raise exception using errcode = 'RL409', message = 'job_not_open', detail = j.status;
  end if;
  delete from job_chunks where job_id = p_job;
  -- A byte more than is kept: where there is no room at all, nothing is read.
  v_full := rowloom.storage_refusal(p_user, p_job, 1, (p_bounds ->> 'storedBytes')::bigint);
  if v_full is not null then
    raise exception using errcode = 'RL429', message = 'storage_full', detail = v_full - 'code';
  end if;
  select count(*) into v_uploads from jobs
    where user_id = p_user and status = 'uploading' and id <> p_job
      and progress_at > clock_timestamp() - interval '60 seconds';
  if v_uploads >= v_limit then
    raise exception using errcode = 'RL429', message = 'too_many_uploads',
      detail = jsonb_build_object('limit', v_limit, 'used', v_uploads);
  end if;
  update jobs set status = 'uploading', upload_id = p_upload, header = null, error = null,
      rows_total = 0, rows_done = 0, rows_succeeded = 0, rows_failed = 0, rows_skipped = 0, rows_empty = 0,
      rows_duplicate = 0, rows_kept = 0, warnings = '[]', chunks_total = 0, bytes_stored = 0,
      progress_at = clock_timestamp()
    where id = p_job returning * into j;
  return to_jsonb(j);
end $$;

-- Stores consecutive chunks of the current upload: one line of p_lines each, its rows as JSON without
-- raw line ends; p_counts their rows. A text is parsed once, an array of JSON three times. Of chunks with rows
-- that are not to be worked p_results has the results so far, one line each, and p_skipped how many those rows are;
-- p_duplicates, one line each, the rows that are the same as one above them.
-- RL409 when another upload has taken over; the share lock makes that upload wait for this insert, or
-- this insert see it. Several of one upload may run side by side.
create function rowloom.job_upload_append(
  p_job uuid, p_upload uuid, p_index integer, p_first_row integer, p_counts integer[], p_lines text,
  p_results text default null, p_skipped integer[] default null, p_duplicates text default null
) returns void language plpgsql as $$
begin
  perform 1 from jobs where id = p_job and upload_id = p_upload and status = 'uploading' for share;
  if not found then
    raise exception using errcode = 'RL409', message = 'upload_superseded';
  end if;
  -- A line too many or too few is a null, which the table refuses.
  insert into job_chunks (job_id, index, first_row, row_count, rows, results, rows_skipped, duplicates, status)
    select p_job, p_index + n - 1, p_first_row + sum(row_count) over (order by n) - row_count,
        row_count, line::json, nullif(results, '')::json, coalesce(skipped, 0),
        nullif(duplicates, '')::json,
        case when skipped = row_count then 'done' else 'pending' end
      from rows from (string_to_table(p_lines, E'\n'), unnest(p_counts),
          string_to_table(p_results, E'\n'), unnest(p_skipped), string_to_table(p_duplicates, E'\n'))
        with ordinality as chunk(line, row_count, results, skipped, duplicates, n);
end $$;

-- A sign of life of the current upload. RL409 when it is not the current one any more.
create function rowloom.job_upload_alive(p_job uuid, p_upload uuid) returns void
language plpgsql as $$
begin
  update jobs set progress_at = clock_timestamp()
    where id = p_job and upload_id = p_upload and status = 'uploading';
  if not found then
    raise exception using errcode = 'RL409', message = 'upload_superseded';
  end if;
end $$;

-- Gives an upload up: its rows go, the job is as before it.
create function rowloom.job_upload_abort(p_job uuid, p_upload uuid) returns void
language plpgsql as $$
begin
  update jobs set status = 'created', upload_id = null
    where id = p_job and upload_id = p_upload and status = 'uploading';
  if found then delete from job_chunks where job_id = p_job; end if;
end $$;

-- Gives up at most p_limit uploads that have shown no sign of life for ten minutes: their Worker has died.
-- → how many
create function rowloom.dead_uploads_abort(p_limit integer) returns integer
language plpgsql as $$
declare
  v_job record;
  v_count integer := 0;
begin
  for v_job in
    select id, upload_id from jobs
      where status = 'uploading' and progress_at < clock_timestamp() - interval '10 minutes'
      limit p_limit for update skip locked
  loop
    perform rowloom.job_upload_abort(v_job.id, v_job.upload_id);
    v_count := v_count + 1;
  end loop;
  return v_count;
end $$;
