CREATE TABLE "catalogue_version" (
	"id" integer PRIMARY KEY DEFAULT 1 NOT NULL,
	"version" bigint DEFAULT 0 NOT NULL,
	CONSTRAINT "catalogue_version_is_one_row" CHECK ("catalogue_version"."id" = 1)
);
--> statement-breakpoint
CREATE TABLE "credit_entries" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "credit_entries_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"user_id" uuid NOT NULL,
	"at" timestamp with time zone NOT NULL,
	"kind" text NOT NULL,
	"amount" bigint NOT NULL,
	"plan" bigint NOT NULL,
	"bonus" bigint NOT NULL,
	"purchased" bigint NOT NULL,
	"balance_after" bigint NOT NULL,
	"idempotency_key" text NOT NULL,
	"fact_key" text,
	"source_type" text NOT NULL,
	"source_id" text NOT NULL,
	"job_id" uuid,
	"movements" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"details" jsonb DEFAULT '{}'::jsonb NOT NULL,
	CONSTRAINT "credit_entries_idempotency_key_key" UNIQUE("idempotency_key"),
	CONSTRAINT "credit_entries_balance_not_negative" CHECK ("credit_entries"."balance_after" >= 0),
	CONSTRAINT "credit_entries_amount_is_sum_of_lots" CHECK ("credit_entries"."amount" = "credit_entries"."plan" + "credit_entries"."bonus" + "credit_entries"."purchased"),
	CONSTRAINT "credit_entries_kind_known" CHECK ("credit_entries"."kind" in ('signup','allowance','plan_grant','plan_renewal','plan_change','plan_month','pack','hold','release','usage','clawback','reinstatement','adjustment','correction'))
);
--> statement-breakpoint
CREATE TABLE "credit_facts" (
	"key" text PRIMARY KEY NOT NULL,
	"user_id" uuid NOT NULL,
	"kind" text NOT NULL,
	"at" timestamp with time zone NOT NULL,
	"position" text collate "C" NOT NULL,
	"body" jsonb NOT NULL,
	CONSTRAINT "credit_facts_kind_known" CHECK ("credit_facts"."kind" in ('signup','state','invoice','plan','pack','reversal','allowance','adjustment','suspension','hold','release'))
);
--> statement-breakpoint
CREATE TABLE "credit_holds" (
	"key" text PRIMARY KEY NOT NULL,
	"user_id" uuid NOT NULL,
	"credits" bigint NOT NULL,
	"takes" jsonb NOT NULL,
	"uncovered" bigint DEFAULT 0 NOT NULL,
	"is_usage" boolean DEFAULT false NOT NULL
);
--> statement-breakpoint
CREATE TABLE "credit_lots" (
	"user_id" uuid NOT NULL,
	"key" text NOT NULL,
	"kind" text NOT NULL,
	"subscription" text,
	"payment" text,
	"opened" text collate "C" NOT NULL,
	"granted" bigint NOT NULL,
	"remaining" bigint NOT NULL,
	"is_expired" boolean DEFAULT false NOT NULL,
	"is_encumbered" boolean DEFAULT false NOT NULL,
	CONSTRAINT "credit_lots_pkey" PRIMARY KEY("user_id","key"),
	CONSTRAINT "credit_lots_kind_known" CHECK ("credit_lots"."kind" in ('plan','bonus','purchased')),
	CONSTRAINT "credit_lots_remaining_in_range" CHECK ("credit_lots"."remaining" >= 0 and "credit_lots"."remaining" <= "credit_lots"."granted" and (not "credit_lots"."is_expired" or "credit_lots"."remaining" = 0))
);
--> statement-breakpoint
CREATE TABLE "job_chunks" (
	"job_id" uuid NOT NULL,
	"index" integer NOT NULL,
	"status" text DEFAULT 'pending' NOT NULL,
	"first_row" integer NOT NULL,
	"row_count" integer NOT NULL,
	"rows" json NOT NULL,
	"results" json,
	"rows_succeeded" integer DEFAULT 0 NOT NULL,
	"rows_failed" integer DEFAULT 0 NOT NULL,
	"part" integer DEFAULT 0 NOT NULL,
	"attempts" integer DEFAULT 0 NOT NULL,
	"lease_token" uuid,
	"lease_until" timestamp with time zone,
	CONSTRAINT "job_chunks_pkey" PRIMARY KEY("job_id","index"),
	CONSTRAINT "job_chunks_status_known" CHECK ("job_chunks"."status" in ('pending','done')),
	CONSTRAINT "job_chunks_row_count_positive" CHECK ("job_chunks"."row_count" > 0),
	CONSTRAINT "job_chunks_rows_add_up" CHECK (least("job_chunks"."rows_succeeded", "job_chunks"."rows_failed") >= 0 and "job_chunks"."rows_succeeded" + "job_chunks"."rows_failed" <= "job_chunks"."row_count"),
	CONSTRAINT "job_chunks_done_has_results" CHECK (("job_chunks"."status" = 'done') = ("job_chunks"."rows_succeeded" + "job_chunks"."rows_failed" = "job_chunks"."row_count") and ("job_chunks"."results" is not null or "job_chunks"."rows_succeeded" + "job_chunks"."rows_failed" = 0))
);
--> statement-breakpoint
CREATE TABLE "jobs" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"user_id" uuid NOT NULL,
	"filename" text NOT NULL,
	"processor" text NOT NULL,
	"prompt" text NOT NULL,
	"columns" jsonb,
	"header" jsonb,
	"status" text DEFAULT 'created' NOT NULL,
	"upload_id" uuid,
	"attempt" integer DEFAULT 0 NOT NULL,
	"credits_per_row" integer DEFAULT 1 NOT NULL,
	"metered" boolean DEFAULT true NOT NULL,
	"rows_total" integer DEFAULT 0 NOT NULL,
	"rows_kept" integer DEFAULT 0 NOT NULL,
	"rows_done" integer DEFAULT 0 NOT NULL,
	"rows_succeeded" integer DEFAULT 0 NOT NULL,
	"rows_failed" integer DEFAULT 0 NOT NULL,
	"chunks_total" integer DEFAULT 0 NOT NULL,
	"chunks_dispatched" integer DEFAULT 0 NOT NULL,
	"credits_held" integer DEFAULT 0 NOT NULL,
	"credits_charged" integer DEFAULT 0 NOT NULL,
	"credits_released" integer DEFAULT 0 NOT NULL,
	"error" text,
	"idempotency_key" text,
	"request_hash" text,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"started_at" timestamp with time zone,
	"finished_at" timestamp with time zone,
	"progress_at" timestamp with time zone,
	"dispatched_at" timestamp with time zone,
	"cancel_at" timestamp with time zone,
	"revivals" integer DEFAULT 0 NOT NULL,
	"purged_at" timestamp with time zone,
	"deleted_at" timestamp with time zone,
	CONSTRAINT "jobs_idempotency_key" UNIQUE("user_id","idempotency_key"),
	CONSTRAINT "jobs_status_known" CHECK ("jobs"."status" in ('created','uploading','awaiting_credits','running','completed','cancelled','failed')),
	CONSTRAINT "jobs_rows_add_up" CHECK ("jobs"."rows_done" = "jobs"."rows_succeeded" + "jobs"."rows_failed" and "jobs"."rows_done" <= "jobs"."rows_total" and least("jobs"."rows_succeeded", "jobs"."rows_failed", "jobs"."rows_kept") >= 0 and "jobs"."rows_kept" <= "jobs"."rows_succeeded"),
	CONSTRAINT "jobs_credits_add_up" CHECK (least("jobs"."credits_held", "jobs"."credits_charged", "jobs"."credits_released") >= 0)
);
--> statement-breakpoint
CREATE TABLE "payment_refs" (
	"ref" text PRIMARY KEY NOT NULL,
	"payment" text NOT NULL
);
--> statement-breakpoint
CREATE TABLE "stripe_events" (
	"event_id" text PRIMARY KEY NOT NULL,
	"type" text NOT NULL,
	"status" text NOT NULL,
	"attempts" integer DEFAULT 0 NOT NULL,
	"error_code" text,
	"error" text,
	"payload" json NOT NULL,
	"api_version" text,
	"user_id" uuid,
	"stripe_created_at" timestamp with time zone NOT NULL,
	"received_at" timestamp with time zone DEFAULT now() NOT NULL,
	"processed_at" timestamp with time zone,
	"next_attempt_at" timestamp with time zone,
	"waiting_for" text[],
	CONSTRAINT "stripe_events_status_known" CHECK ("stripe_events"."status" in ('pending','completed','skipped','failed','dismissed')),
	CONSTRAINT "stripe_events_failed_has_error" CHECK ("stripe_events"."status" <> 'failed' or "stripe_events"."error_code" is not null)
);
--> statement-breakpoint
CREATE TABLE "stripe_prices" (
	"price_id" text PRIMARY KEY NOT NULL,
	"product_id" text NOT NULL,
	"kind" text NOT NULL,
	"key" text NOT NULL,
	"name" text NOT NULL,
	"credits" bigint,
	"trial_credits" bigint DEFAULT 0 NOT NULL,
	"interval" text,
	"grants_monthly" boolean DEFAULT false NOT NULL,
	"amount_cents" bigint NOT NULL,
	"currency" text NOT NULL,
	"stripe_event_at" timestamp with time zone,
	"stripe_created_at" timestamp with time zone,
	"active" boolean DEFAULT true NOT NULL,
	"position" integer DEFAULT 0 NOT NULL,
	CONSTRAINT "stripe_prices_kind_known" CHECK ("stripe_prices"."kind" in ('plan','pack')),
	CONSTRAINT "stripe_prices_pack_is_counted" CHECK ("stripe_prices"."kind" = 'plan' or "stripe_prices"."credits" is not null),
	CONSTRAINT "stripe_prices_credits_not_negative" CHECK ("stripe_prices"."credits" >= 0 and "stripe_prices"."trial_credits" >= 0)
);
--> statement-breakpoint
CREATE TABLE "subscriptions" (
	"stripe_subscription_id" text PRIMARY KEY NOT NULL,
	"user_id" uuid NOT NULL,
	"stripe_customer_id" text,
	"status" text NOT NULL,
	"plan" text,
	"price_id" text,
	"quantity" integer DEFAULT 1 NOT NULL,
	"interval" text,
	"current_period_start" timestamp with time zone,
	"current_period_end" timestamp with time zone,
	"cancel_at" timestamp with time zone,
	"trial_end" timestamp with time zone,
	"ended_at" timestamp with time zone,
	"state_position" text collate "C",
	"terms" jsonb,
	"paid" jsonb,
	"paid_period_start" timestamp with time zone,
	"taken_back" boolean DEFAULT false NOT NULL,
	"failing_since" timestamp with time zone,
	"grace_days" integer DEFAULT 0 NOT NULL,
	"granted_credits" bigint DEFAULT 0 NOT NULL,
	"grants_monthly" boolean DEFAULT false NOT NULL
);
--> statement-breakpoint
CREATE TABLE "users" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"external_id" text,
	"email" text,
	"email_verified" boolean DEFAULT false NOT NULL,
	"stripe_customer_id" text,
	"credits_balance" bigint DEFAULT 0 NOT NULL,
	"credits_plan" bigint DEFAULT 0 NOT NULL,
	"credits_bonus" bigint DEFAULT 0 NOT NULL,
	"credits_purchased" bigint DEFAULT 0 NOT NULL,
	"credits_held" bigint DEFAULT 0 NOT NULL,
	"credits_shortfall" bigint DEFAULT 0 NOT NULL,
	"version" bigint DEFAULT 0 NOT NULL,
	"standing_version" bigint DEFAULT 0 NOT NULL,
	"newest_position" text collate "C",
	"stale_since" timestamp with time zone,
	"next_due_at" timestamp with time zone,
	"allowance_due_at" timestamp with time zone,
	"suspended_at" timestamp with time zone,
	"suspended_reason" text,
	"fold_version" integer DEFAULT 0 NOT NULL,
	"signed_up_at" timestamp with time zone,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "users_external_id_key" UNIQUE("external_id"),
	CONSTRAINT "users_stripe_customer_id_key" UNIQUE("stripe_customer_id"),
	CONSTRAINT "users_credits_not_negative" CHECK (least("users"."credits_plan", "users"."credits_bonus", "users"."credits_purchased", "users"."credits_held", "users"."credits_shortfall") >= 0),
	CONSTRAINT "users_balance_is_sum_of_lots" CHECK ("users"."credits_balance" = "users"."credits_plan" + "users"."credits_bonus" + "users"."credits_purchased"),
	CONSTRAINT "users_suspension_has_reason" CHECK (("users"."suspended_at" is null) = ("users"."suspended_reason" is null))
);
--> statement-breakpoint
ALTER TABLE "credit_entries" ADD CONSTRAINT "credit_entries_user_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "credit_facts" ADD CONSTRAINT "credit_facts_user_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "credit_holds" ADD CONSTRAINT "credit_holds_user_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "credit_lots" ADD CONSTRAINT "credit_lots_user_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "job_chunks" ADD CONSTRAINT "job_chunks_job_fk" FOREIGN KEY ("job_id") REFERENCES "public"."jobs"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "jobs" ADD CONSTRAINT "jobs_user_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "stripe_events" ADD CONSTRAINT "stripe_events_user_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "subscriptions" ADD CONSTRAINT "subscriptions_user_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "credit_entries_user_idx" ON "credit_entries" USING btree ("user_id","id");--> statement-breakpoint
CREATE INDEX "credit_facts_user_idx" ON "credit_facts" USING btree ("user_id","position");--> statement-breakpoint
CREATE INDEX "credit_holds_user_idx" ON "credit_holds" USING btree ("user_id");--> statement-breakpoint
CREATE INDEX "jobs_user_created_idx" ON "jobs" USING btree ("user_id","created_at","id");--> statement-breakpoint
CREATE INDEX "jobs_running_idx" ON "jobs" USING btree ("progress_at") WHERE "jobs"."status" = 'running';--> statement-breakpoint
CREATE INDEX "jobs_awaiting_idx" ON "jobs" USING btree ("user_id") WHERE "jobs"."status" = 'awaiting_credits';--> statement-breakpoint
CREATE INDEX "jobs_expiry_idx" ON "jobs" USING btree ((coalesce("finished_at", "progress_at", "created_at"))) WHERE "jobs"."purged_at" is null and "jobs"."status" <> 'running';--> statement-breakpoint
CREATE INDEX "stripe_events_due_idx" ON "stripe_events" USING btree ("next_attempt_at") WHERE "stripe_events"."next_attempt_at" is not null;--> statement-breakpoint
CREATE INDEX "stripe_events_waiting_idx" ON "stripe_events" USING gin ("waiting_for") WITH (fastupdate=false) WHERE "stripe_events"."waiting_for" is not null;--> statement-breakpoint
CREATE INDEX "stripe_events_received_idx" ON "stripe_events" USING btree ("received_at","event_id");--> statement-breakpoint
CREATE UNIQUE INDEX "stripe_prices_on_sale_key" ON "stripe_prices" USING btree ("kind","key") WHERE "stripe_prices"."active";--> statement-breakpoint
CREATE INDEX "subscriptions_user_idx" ON "subscriptions" USING btree ("user_id");--> statement-breakpoint
CREATE INDEX "users_email_lower_idx" ON "users" USING btree (lower("email"));--> statement-breakpoint
CREATE INDEX "users_stale_idx" ON "users" USING btree ("stale_since") WHERE "users"."stale_since" is not null;--> statement-breakpoint
CREATE INDEX "users_next_due_idx" ON "users" USING btree ("next_due_at") WHERE "users"."next_due_at" is not null;--> statement-breakpoint
CREATE INDEX "users_allowance_due_idx" ON "users" USING btree ("allowance_due_at") WHERE "users"."allowance_due_at" is not null;--> statement-breakpoint
-- The ledger is append-only: what happened stays written, whoever is connected.
CREATE FUNCTION ledger_refuse_rewrite() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION USING ERRCODE = 'RL403', MESSAGE = 'ledger_append_only',
    DETAIL = format('%s on %s is refused: post a correcting entry instead.', TG_OP, TG_TABLE_NAME);
END $$;
--> statement-breakpoint
CREATE TRIGGER credit_entries_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON credit_entries
  FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_rewrite();
--> statement-breakpoint
-- Facts are decided with a copy of the catalogue: whoever changes it tells that the copy is old.
INSERT INTO catalogue_version DEFAULT VALUES;
--> statement-breakpoint
CREATE FUNCTION catalogue_count_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE catalogue_version SET version = version + 1;
  RETURN NULL;
END $$;
--> statement-breakpoint
CREATE TRIGGER stripe_prices_count_change AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON stripe_prices
  FOR EACH STATEMENT EXECUTE FUNCTION catalogue_count_change();
--> statement-breakpoint
-- pglz took two thirds of what Postgres spent on an upload: 18 ms per MB of CSV, with LZ4 8, without
-- compression 7. Stored bytes per byte of CSV: 0.41, 0.58, 1.19. Rows go by LZ4 where the server has
-- it, else as they are: results are the bulk of a job.
DO $$
BEGIN
  IF 'lz4' = ANY ((SELECT enumvals FROM pg_settings WHERE name = 'default_toast_compression')::text[]) THEN
    ALTER TABLE job_chunks ALTER COLUMN rows SET COMPRESSION lz4, ALTER COLUMN results SET COMPRESSION lz4;
  ELSE
    ALTER TABLE job_chunks ALTER COLUMN rows SET STORAGE EXTERNAL;
  END IF;
END $$;
--> statement-breakpoint
-- Every event changes its user's row and its subscription's: room beside them keeps indexes out of it.
ALTER TABLE users SET (fillfactor = 70);
--> statement-breakpoint
ALTER TABLE subscriptions SET (fillfactor = 70);
