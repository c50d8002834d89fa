-- Credits are held without skipped rows: who is older would give back more than was taken.
DO $$ BEGIN
  IF EXISTS (SELECT 1 FROM jobs WHERE status = 'running' AND rows_skipped > 0) THEN
    RAISE EXCEPTION 'Jobs with skipped rows are running: cancel them, or wait for their end, first.';
  END IF;
END $$;
DROP TABLE event_streams, user_days;
DROP INDEX jobs_open_idx, jobs_stored_idx;
ALTER TABLE jobs DROP CONSTRAINT jobs_rows_add_up;
ALTER TABLE job_chunks DROP CONSTRAINT job_chunks_rows_add_up, DROP CONSTRAINT job_chunks_done_has_results;
-- Who is older knows no skipped rows: they are to be worked still, or count as failed.
UPDATE job_chunks c SET rows_skipped = 0, results = NULL, status = 'pending'
  FROM jobs j WHERE j.id = c.job_id AND c.rows_skipped > 0 AND j.status IN ('created','uploading','awaiting_credits');
UPDATE jobs SET rows_done = 0, rows_skipped = 0 WHERE status IN ('created','uploading','awaiting_credits');
UPDATE job_chunks SET rows_failed = rows_failed + rows_skipped,
    results = replace(results::text, '{"status":"skipped"', '{"status":"error","error":"Skipped"')::json
  WHERE rows_skipped > 0;
UPDATE jobs SET rows_failed = rows_failed + rows_skipped WHERE rows_skipped > 0;
ALTER TABLE jobs DROP COLUMN rows_skipped, DROP COLUMN warnings, DROP COLUMN bytes_stored, DROP COLUMN retries,
  DROP COLUMN given_up,
  ADD CONSTRAINT jobs_rows_add_up CHECK (rows_done = rows_succeeded + rows_failed and rows_done <= rows_total
    and least(rows_succeeded, rows_failed, rows_kept) >= 0 and rows_kept <= rows_succeeded);
ALTER TABLE job_chunks DROP COLUMN rows_skipped,
  ADD CONSTRAINT job_chunks_rows_add_up CHECK (least(rows_succeeded, rows_failed) >= 0 and rows_succeeded + rows_failed <= row_count),
  ADD CONSTRAINT job_chunks_done_has_results CHECK ((status = 'done') = (rows_succeeded + rows_failed = row_count)
    and (results is not null or rows_succeeded + rows_failed = 0));
