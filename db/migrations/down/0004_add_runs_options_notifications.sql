-- Who is older knows neither these statuses nor runs of chosen rows, and would settle their holds wrongly.
DO $$ BEGIN
  IF EXISTS (SELECT 1 FROM jobs WHERE status = 'paused'
      OR status = 'running' AND (returns_to IS NOT NULL OR generation <> run OR skips_duplicates)) THEN
    RAISE EXCEPTION 'Samples, retries of chosen rows, pauses, or runs without duplicates are under way: cancel them, or wait for their end, first.';
  END IF;
END $$;
DROP TABLE notifications, user_profiles;
DROP INDEX jobs_open_idx, jobs_draining_idx;
ALTER TABLE jobs DROP CONSTRAINT jobs_status_known, DROP CONSTRAINT jobs_rows_add_up;
-- Rows that were not worked yet are worked by a retry; what a sample has worked stays.
UPDATE jobs SET status = 'cancelled', finished_at = clock_timestamp() WHERE status = 'ready';
-- Duplicates that were skipped have no result of their own.
UPDATE job_chunks c SET rows_skipped = c.rows_skipped - dup.n, status = CASE WHEN dup.n > 0 THEN 'pending' ELSE c.status END
  FROM (SELECT k.job_id, k.index, count(*) FILTER (WHERE coalesce(k.results -> (d ->> 0)::integer ->> 'status', '') = '')::integer AS n
      FROM job_chunks k, json_array_elements(k.duplicates) d GROUP BY 1, 2) dup, jobs j
  WHERE j.id = c.job_id AND j.skips_duplicates AND dup.job_id = c.job_id AND dup.index = c.index;
UPDATE jobs j SET rows_skipped = sums.skipped, rows_done = j.rows_succeeded + j.rows_failed + sums.skipped
  FROM (SELECT job_id, sum(rows_skipped)::integer AS skipped FROM job_chunks GROUP BY 1) sums
  WHERE j.id = sums.job_id AND j.skips_duplicates;
UPDATE jobs SET rows_kept = least(rows_kept, rows_succeeded);
ALTER TABLE jobs DROP COLUMN options, DROP COLUMN needs_search, DROP COLUMN settings_version, DROP COLUMN sender, DROP COLUMN input,
  DROP COLUMN run_open, DROP COLUMN generation, DROP COLUMN returns_to, DROP COLUMN rows_empty,
  DROP COLUMN rows_duplicate, DROP COLUMN skips_duplicates, DROP COLUMN run_succeeded, DROP COLUMN run_failed,
  DROP COLUMN pause_at,
  ADD CONSTRAINT jobs_status_known CHECK (status in ('created','uploading','awaiting_credits','running','completed','cancelled','failed')),
  ADD CONSTRAINT jobs_rows_add_up CHECK (rows_done = rows_succeeded + rows_failed + rows_skipped and rows_done <= rows_total
    and least(rows_succeeded, rows_failed, rows_skipped, rows_kept) >= 0 and rows_kept <= rows_succeeded);
CREATE INDEX jobs_open_idx ON jobs USING btree (user_id) WHERE status in ('created','uploading','awaiting_credits','running');
ALTER TABLE job_chunks DROP CONSTRAINT job_chunks_done_has_results;
ALTER TABLE job_chunks DROP COLUMN todo, DROP COLUMN duplicates,
  ADD CONSTRAINT job_chunks_done_has_results CHECK ((status = 'done') = (rows_succeeded + rows_failed + rows_skipped = row_count)
    and (results is not null or rows_succeeded + rows_failed + rows_skipped = 0));
