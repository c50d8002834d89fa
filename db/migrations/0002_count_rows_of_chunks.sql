ALTER TABLE "job_chunks" DROP CONSTRAINT "job_chunks_done_has_results";--> statement-breakpoint
ALTER TABLE "jobs" DROP CONSTRAINT "jobs_rows_add_up";--> statement-breakpoint
ALTER TABLE "job_chunks" ADD COLUMN "rows_succeeded" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "job_chunks" ADD COLUMN "rows_failed" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "job_chunks" ADD COLUMN "part" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
UPDATE "job_chunks" c SET
    "rows_succeeded" = (SELECT count(*) FROM json_array_elements(c."results") r WHERE r ->> 'status' = 'ok'),
    "rows_failed" = (SELECT count(*) FROM json_array_elements(c."results") r WHERE r ->> 'status' = 'error')
  WHERE c."status" = 'done';--> statement-breakpoint
ALTER TABLE "jobs" ADD COLUMN "rows_kept" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "jobs" ADD COLUMN "dispatched_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "jobs" ADD COLUMN "cancel_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "jobs" ADD COLUMN "revivals" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "jobs" ADD COLUMN "purged_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "jobs" ADD COLUMN "deleted_at" timestamp with time zone;--> statement-breakpoint
CREATE INDEX "jobs_expiry_idx" ON "jobs" USING btree ((coalesce("finished_at", "progress_at", "created_at"))) WHERE "jobs"."purged_at" is null and "jobs"."status" <> 'running';--> statement-breakpoint
ALTER TABLE "job_chunks" ADD CONSTRAINT "job_chunks_rows_add_up" CHECK (least("job_chunks"."rows_succeeded", "job_chunks"."rows_failed") >= 0 and "job_chunks"."rows_succeeded" + "job_chunks"."rows_failed" <= "job_chunks"."row_count");--> statement-breakpoint
ALTER TABLE "job_chunks" ADD CONSTRAINT "job_chunks_done_has_results" CHECK (("job_chunks"."status" = 'done') = ("job_chunks"."rows_succeeded" + "job_chunks"."rows_failed" = "job_chunks"."row_count") and ("job_chunks"."results" is not null or "job_chunks"."rows_succeeded" + "job_chunks"."rows_failed" = 0));--> statement-breakpoint
ALTER TABLE "jobs" ADD CONSTRAINT "jobs_rows_add_up" CHECK ("jobs"."rows_done" = "jobs"."rows_succeeded" + "jobs"."rows_failed" and "jobs"."rows_done" <= "jobs"."rows_total" and least("jobs"."rows_succeeded", "jobs"."rows_failed", "jobs"."rows_kept") >= 0 and "jobs"."rows_kept" <= "jobs"."rows_succeeded");