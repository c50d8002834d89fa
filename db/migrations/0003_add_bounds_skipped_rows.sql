CREATE TABLE "event_streams" (
	"id" uuid PRIMARY KEY NOT NULL,
	"user_id" uuid NOT NULL,
	"lease_until" timestamp with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "user_days" (
	"user_id" uuid NOT NULL,
	"day" date NOT NULL,
	"rows_succeeded" integer DEFAULT 0 NOT NULL,
	"rows_unpaid" integer DEFAULT 0 NOT NULL,
	"rows_unlimited" integer DEFAULT 0 NOT NULL,
	CONSTRAINT "user_days_pkey" PRIMARY KEY("user_id","day"),
	CONSTRAINT "user_days_not_negative" CHECK (least("user_days"."rows_succeeded", "user_days"."rows_unpaid", "user_days"."rows_unlimited") >= 0)
);
--> statement-breakpoint
ALTER TABLE "job_chunks" DROP CONSTRAINT "job_chunks_rows_add_up";--> statement-breakpoint
ALTER TABLE "job_chunks" DROP CONSTRAINT "job_chunks_done_has_results";--> statement-breakpoint
ALTER TABLE "jobs" DROP CONSTRAINT "jobs_rows_add_up";--> statement-breakpoint
ALTER TABLE "job_chunks" ADD COLUMN "rows_skipped" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "jobs" ADD COLUMN "rows_skipped" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "jobs" ADD COLUMN "warnings" jsonb DEFAULT '[]'::jsonb NOT NULL;--> statement-breakpoint
ALTER TABLE "jobs" ADD COLUMN "bytes_stored" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "jobs" ADD COLUMN "retries" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "jobs" ADD COLUMN "given_up" boolean DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE "event_streams" ADD CONSTRAINT "event_streams_user_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "user_days" ADD CONSTRAINT "user_days_user_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "event_streams_user_idx" ON "event_streams" USING btree ("user_id");--> statement-breakpoint
CREATE INDEX "event_streams_lease_idx" ON "event_streams" USING btree ("lease_until");--> statement-breakpoint
CREATE INDEX "user_days_day_idx" ON "user_days" USING btree ("day");--> statement-breakpoint
CREATE INDEX "jobs_open_idx" ON "jobs" USING btree ("user_id") WHERE "jobs"."status" in ('created','uploading','awaiting_credits','running');--> statement-breakpoint
CREATE INDEX "jobs_stored_idx" ON "jobs" USING btree ("user_id") WHERE "jobs"."bytes_stored" > 0;--> statement-breakpoint
ALTER TABLE "job_chunks" ADD CONSTRAINT "job_chunks_rows_add_up" CHECK (least("job_chunks"."rows_succeeded", "job_chunks"."rows_failed", "job_chunks"."rows_skipped") >= 0 and "job_chunks"."rows_succeeded" + "job_chunks"."rows_failed" + "job_chunks"."rows_skipped" <= "job_chunks"."row_count");--> statement-breakpoint
ALTER TABLE "job_chunks" ADD CONSTRAINT "job_chunks_done_has_results" CHECK (("job_chunks"."status" = 'done') = ("job_chunks"."rows_succeeded" + "job_chunks"."rows_failed" + "job_chunks"."rows_skipped" = "job_chunks"."row_count") and ("job_chunks"."results" is not null or "job_chunks"."rows_succeeded" + "job_chunks"."rows_failed" + "job_chunks"."rows_skipped" = 0));--> statement-breakpoint
ALTER TABLE "jobs" ADD CONSTRAINT "jobs_rows_add_up" CHECK ("jobs"."rows_done" = "jobs"."rows_succeeded" + "jobs"."rows_failed" + "jobs"."rows_skipped" and "jobs"."rows_done" <= "jobs"."rows_total" and least("jobs"."rows_succeeded", "jobs"."rows_failed", "jobs"."rows_skipped", "jobs"."rows_kept") >= 0 and "jobs"."rows_kept" <= "jobs"."rows_succeeded");--> statement-breakpoint
UPDATE "jobs" SET "bytes_stored" = "stored"."bytes"
  FROM (SELECT "job_id", sum(pg_column_size("rows") + coalesce(pg_column_size("results"), 0)) AS "bytes"
    FROM "job_chunks" GROUP BY 1) "stored" WHERE "jobs"."id" = "stored"."job_id";--> statement-breakpoint
-- Runs that are under way count where they will be given back.
INSERT INTO "user_days" ("user_id", "day", "rows_unlimited")
  SELECT "user_id", ("started_at" AT TIME ZONE 'utc')::date, sum("rows_total" - "rows_kept")
    FROM "jobs" WHERE "status" = 'running' AND NOT "metered" GROUP BY 1, 2;
