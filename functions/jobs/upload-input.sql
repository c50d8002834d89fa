-- Begins an upload: rows of an earlier one that was cut off are dropped with it.
-- → the job row. RL409 job_not_open once the job has run or was cancelled.
create function rowloom.job_upload_begin(p_job uuid, p_user uuid, p_upload uuid) returns jsonb
language plpgsql as $$
declare j jobs := rowloom.job_lock(p_job, p_user);
begin
  if j.status not in ('created', 'uploading', 'awaiting_credits') then
    raise exception using errcode = 'RL409', message = 'job_not_open', detail = j.status;
  end if;
  delete from job_chunks where job_id = p_job;
  update jobs set status = 'uploading', upload_id = p_upload, header = null, error = null,
      rows_total = 0, chunks_total = 0, progress_at = clock_timestamp()
    where id = p_job returning * into j;
  return to_jsonb(j);
end $$;

-- Stores consecutive chunks of the current upload: one line of p_lines each, its rows as JSON without
-- raw line ends; p_counts their rows. A text is parsed once, an array of JSON three times.
-- RL409 when another upload has taken over; the share lock makes that upload wait for this insert, or
-- this insert see it. Several of one upload may run side by side.
create function rowloom.job_upload_append(
  p_job uuid, p_upload uuid, p_index integer, p_first_row integer, p_counts integer[], p_lines text
) returns void language plpgsql as $$
begin
  perform 1 from jobs where id = p_job and upload_id = p_upload and status = 'uploading' for share;
  if not found then
    raise exception using errcode = 'RL409', message = 'upload_superseded';
  end if;
  -- A line too many or too few is a null, which the table refuses.
  insert into job_chunks (job_id, index, first_row, row_count, rows)
    select p_job, p_index + n - 1, p_first_row + sum(row_count) over (order by n) - row_count,
        row_count, line::json
      from rows from (string_to_table(p_lines, E'\n'), unnest(p_counts))
        with ordinality as chunk(line, row_count, n);
end $$;

-- Gives an upload up: its rows go, the job is as before it.
create function rowloom.job_upload_abort(p_job uuid, p_upload uuid) returns void
language plpgsql as $$
begin
  update jobs set status = 'created', upload_id = null
    where id = p_job and upload_id = p_upload and status = 'uploading';
  if found then delete from job_chunks where job_id = p_job; end if;
end $$;
