ALTER TABLE jobs DROP CONSTRAINT jobs_rows_add_up;
ALTER TABLE job_chunks DROP CONSTRAINT job_chunks_done_has_results, DROP CONSTRAINT job_chunks_rows_add_up;
DROP INDEX jobs_expiry_idx;
ALTER TABLE jobs DROP COLUMN rows_kept, DROP COLUMN cancel_at, DROP COLUMN dispatched_at, DROP COLUMN revivals, DROP COLUMN purged_at, DROP COLUMN deleted_at;
ALTER TABLE job_chunks DROP COLUMN part, DROP COLUMN rows_succeeded, DROP COLUMN rows_failed;
ALTER TABLE job_chunks ADD CONSTRAINT job_chunks_done_has_results CHECK (status <> 'done' or results is not null);
ALTER TABLE jobs ADD CONSTRAINT jobs_rows_add_up CHECK (
  rows_done = rows_succeeded + rows_failed and rows_done <= rows_total and least(rows_succeeded, rows_failed) >= 0
);
