ALTER TABLE "jobs" RENAME COLUMN "attempt" TO "run";--> statement-breakpoint
ALTER TABLE "jobs" RENAME COLUMN "revivals" TO "watchdog_runs";--> statement-breakpoint
ALTER TABLE "job_chunks" RENAME COLUMN "part" TO "revision";--> statement-breakpoint
ALTER TABLE "job_chunks" RENAME COLUMN "attempts" TO "fruitless_leases";--> statement-breakpoint
-- An error names the run it came about in; inside of a text that quote would be escaped.
UPDATE "job_chunks" SET "results" = replace("results"::text, '"attempt":', '"run":')::json
  WHERE "results"::text LIKE '%"attempt":%';--> statement-breakpoint
CREATE TABLE "paused_lanes" (
	"lane" text NOT NULL,
	"provider" text NOT NULL,
	"paused_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "paused_lanes_pkey" PRIMARY KEY("lane","provider")
);
--> statement-breakpoint
CREATE TABLE "providers" (
	"name" text PRIMARY KEY NOT NULL,
	"opened_at" timestamp with time zone,
	"reason" text,
	"detail" text,
	"until" timestamp with time zone,
	"probe_at" timestamp with time zone,
	"probes_failed" integer DEFAULT 0 NOT NULL,
	CONSTRAINT "providers_reason_known" CHECK ("providers"."reason" in ('unavailable','rate_limited','quota_exhausted','refused')),
	CONSTRAINT "providers_open_has_reason" CHECK (("providers"."opened_at" is null) = ("providers"."reason" is null) and ("providers"."opened_at" is null) = ("providers"."probe_at" is null))
);
--> statement-breakpoint
ALTER TABLE "jobs" ADD COLUMN "tokens_in" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "jobs" ADD COLUMN "tokens_out" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "jobs" ADD COLUMN "searches" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "jobs" ADD COLUMN "searches_cached" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "jobs" ADD COLUMN "queue_messages" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "jobs" ADD COLUMN "cost_micros" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "paused_lanes" ADD CONSTRAINT "paused_lanes_provider_fk" FOREIGN KEY ("provider") REFERENCES "public"."providers"("name") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "jobs" ADD CONSTRAINT "jobs_usage_not_negative" CHECK (least("jobs"."tokens_in", "jobs"."tokens_out", "jobs"."searches", "jobs"."searches_cached", "jobs"."queue_messages", "jobs"."cost_micros") >= 0);