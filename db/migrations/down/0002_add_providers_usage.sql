DROP TABLE paused_lanes, providers;
ALTER TABLE jobs DROP CONSTRAINT jobs_usage_not_negative, DROP COLUMN tokens_in, DROP COLUMN tokens_out,
  DROP COLUMN searches, DROP COLUMN searches_cached, DROP COLUMN queue_messages, DROP COLUMN cost_micros;
UPDATE job_chunks SET results = replace(results::text, '"run":', '"attempt":')::json WHERE results::text LIKE '%"run":%';
ALTER TABLE job_chunks RENAME COLUMN fruitless_leases TO attempts;
ALTER TABLE job_chunks RENAME COLUMN revision TO part;
ALTER TABLE jobs RENAME COLUMN watchdog_runs TO revivals;
ALTER TABLE jobs RENAME COLUMN run TO attempt;
