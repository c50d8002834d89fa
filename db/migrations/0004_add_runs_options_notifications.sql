CREATE TABLE "notifications" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"job_id" uuid NOT NULL,
	"run" integer NOT NULL,
	"url" text NOT NULL,
	"status" text DEFAULT 'pending' NOT NULL,
	"attempts" integer DEFAULT 0 NOT NULL,
	"status_code" integer,
	"error" text,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"published_at" timestamp with time zone,
	"attempted_at" timestamp with time zone,
	CONSTRAINT "notifications_job_run_key" UNIQUE("job_id","run"),
	CONSTRAINT "notifications_status_known" CHECK ("notifications"."status" in ('pending','delivered','failed')),
	CONSTRAINT "notifications_attempts_not_negative" CHECK ("notifications"."attempts" >= 0)
);
--> statement-breakpoint
CREATE TABLE "user_profiles" (
	"user_id" uuid PRIMARY KEY NOT NULL,
	"sender" jsonb,
	"notify_secret" text
);
--> statement-breakpoint
ALTER TABLE "job_chunks" DROP CONSTRAINT "job_chunks_done_has_results";--> statement-breakpoint
ALTER TABLE "jobs" DROP CONSTRAINT "jobs_status_known";--> statement-breakpoint
ALTER TABLE "jobs" DROP CONSTRAINT "jobs_rows_add_up";--> statement-breakpoint
DROP INDEX "jobs_open_idx";--> statement-breakpoint
ALTER TABLE "job_chunks" ADD COLUMN "todo" integer[];--> statement-breakpoint
ALTER TABLE "job_chunks" ADD COLUMN "duplicates" json;--> statement-breakpoint
ALTER TABLE "jobs" ADD COLUMN "needs_search" boolean DEFAULT true NOT NULL;--> statement-breakpoint
ALTER TABLE "jobs" ADD COLUMN "options" jsonb DEFAULT '{}'::jsonb NOT NULL;--> statement-breakpoint
ALTER TABLE "jobs" ADD COLUMN "settings_version" integer DEFAULT 1 NOT NULL;--> statement-breakpoint
ALTER TABLE "jobs" ADD COLUMN "sender" jsonb;--> statement-breakpoint
ALTER TABLE "jobs" ADD COLUMN "input" jsonb;--> statement-breakpoint
ALTER TABLE "jobs" ADD COLUMN "run_open" boolean DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE "jobs" ADD COLUMN "generation" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "jobs" ADD COLUMN "returns_to" text;--> statement-breakpoint
ALTER TABLE "jobs" ADD COLUMN "rows_empty" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "jobs" ADD COLUMN "rows_duplicate" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "jobs" ADD COLUMN "skips_duplicates" boolean DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE "jobs" ADD COLUMN "run_succeeded" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "jobs" ADD COLUMN "run_failed" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "jobs" ADD COLUMN "pause_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "notifications" ADD CONSTRAINT "notifications_job_fk" FOREIGN KEY ("job_id") REFERENCES "public"."jobs"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "user_profiles" ADD CONSTRAINT "user_profiles_user_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "notifications_created_idx" ON "notifications" USING btree ("created_at");--> statement-breakpoint
CREATE INDEX "notifications_unpublished_idx" ON "notifications" USING btree ("created_at") WHERE "notifications"."published_at" is null and "notifications"."status" = 'pending';--> statement-breakpoint
CREATE INDEX "jobs_draining_idx" ON "jobs" USING btree ("pause_at") WHERE "jobs"."status" = 'paused' and "jobs"."run_open";--> statement-breakpoint
CREATE INDEX "jobs_open_idx" ON "jobs" USING btree ("user_id") WHERE "jobs"."status" in ('created','uploading','awaiting_credits','ready','running','paused');--> statement-breakpoint
ALTER TABLE "job_chunks" ADD CONSTRAINT "job_chunks_done_has_results" CHECK (("job_chunks"."status" = 'done') = ("job_chunks"."rows_succeeded" + "job_chunks"."rows_failed" + "job_chunks"."rows_skipped" = "job_chunks"."row_count") and ("job_chunks"."results" is not null or "job_chunks"."duplicates" is not null or "job_chunks"."rows_succeeded" + "job_chunks"."rows_failed" + "job_chunks"."rows_skipped" = 0));--> statement-breakpoint
ALTER TABLE "jobs" ADD CONSTRAINT "jobs_status_known" CHECK ("jobs"."status" in ('created','uploading','awaiting_credits','ready','running','paused','completed','cancelled','failed'));--> statement-breakpoint
ALTER TABLE "jobs" ADD CONSTRAINT "jobs_rows_add_up" CHECK ("jobs"."rows_done" = "jobs"."rows_succeeded" + "jobs"."rows_failed" + "jobs"."rows_skipped" and "jobs"."rows_done" <= "jobs"."rows_total" and least("jobs"."rows_succeeded", "jobs"."rows_failed", "jobs"."rows_skipped", "jobs"."rows_kept", "jobs"."rows_empty", "jobs"."rows_duplicate", "jobs"."run_succeeded", "jobs"."run_failed") >= 0);--> statement-breakpoint
-- Runs that are under way go on: what they hold for is known from now on.
UPDATE "jobs" SET "generation" = "run", "rows_empty" = "rows_skipped", "needs_search" = "processor" <> 'classify',
  "run_open" = "status" = 'running',
  "run_succeeded" = CASE "status" WHEN 'running' THEN "rows_succeeded" - "rows_kept" ELSE 0 END,
  "run_failed" = CASE "status" WHEN 'running' THEN "rows_failed" ELSE 0 END;
