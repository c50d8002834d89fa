CREATE TABLE "credit_entries" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "credit_entries_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"user_id" uuid NOT NULL,
	"at" timestamp with time zone NOT NULL,
	"kind" text NOT NULL,
	"amount" integer NOT NULL,
	"plan" integer NOT NULL,
	"bonus" integer NOT NULL,
	"purchased" integer NOT NULL,
	"balance_after" integer NOT NULL,
	"business_key" text NOT NULL,
	"source_type" text NOT NULL,
	"source_id" text NOT NULL,
	"job_id" uuid,
	"details" jsonb DEFAULT '{}'::jsonb NOT NULL,
	CONSTRAINT "credit_entries_business_key_key" UNIQUE("business_key"),
	CONSTRAINT "credit_entries_balance_not_negative" CHECK ("credit_entries"."balance_after" >= 0),
	CONSTRAINT "credit_entries_amount_is_sum_of_lots" CHECK ("credit_entries"."amount" = "credit_entries"."plan" + "credit_entries"."bonus" + "credit_entries"."purchased"),
	CONSTRAINT "credit_entries_kind_known" CHECK ("credit_entries"."kind" in ('signup','plan_grant','plan_renewal','plan_change','pack','hold','release','usage','take_back','give_back','admin'))
);
--> statement-breakpoint
CREATE TABLE "credit_lots" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "credit_lots_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"user_id" uuid NOT NULL,
	"kind" text NOT NULL,
	"granted" integer NOT NULL,
	"remaining" integer NOT NULL,
	"source_type" text NOT NULL,
	"source_id" text NOT NULL,
	"created_at" timestamp with time zone NOT NULL,
	"effective_at" timestamp with time zone DEFAULT '-infinity' NOT NULL,
	"reset_at" timestamp with time zone,
	"lapsed_at" timestamp with time zone,
	CONSTRAINT "credit_lots_kind_known" CHECK ("credit_lots"."kind" in ('plan','bonus','purchased')),
	CONSTRAINT "credit_lots_remaining_in_range" CHECK ("credit_lots"."remaining" >= 0 and "credit_lots"."remaining" <= "credit_lots"."granted")
);
--> statement-breakpoint
CREATE TABLE "credit_movements" (
	"entry_id" bigint NOT NULL,
	"lot_id" bigint NOT NULL,
	"amount" integer NOT NULL,
	"lapsed" integer DEFAULT 0 NOT NULL,
	CONSTRAINT "credit_movements_pkey" PRIMARY KEY("entry_id","lot_id"),
	CONSTRAINT "credit_movements_lapsed_not_negative" CHECK ("credit_movements"."lapsed" >= 0)
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
	"attempts" integer DEFAULT 0 NOT NULL,
	"lease_token" uuid,
	"lease_until" timestamp with time zone,
	CONSTRAINT "job_chunks_pkey" PRIMARY KEY("job_id","index"),
	CONSTRAINT "job_chunks_status_known" CHECK ("job_chunks"."status" in ('pending','done')),
	CONSTRAINT "job_chunks_row_count_positive" CHECK ("job_chunks"."row_count" > 0),
	CONSTRAINT "job_chunks_done_has_results" CHECK ("job_chunks"."status" <> 'done' or "job_chunks"."results" is not null)
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
	CONSTRAINT "jobs_idempotency_key" UNIQUE("user_id","idempotency_key"),
	CONSTRAINT "jobs_status_known" CHECK ("jobs"."status" in ('created','uploading','awaiting_credits','running','completed','cancelled','failed')),
	CONSTRAINT "jobs_rows_add_up" CHECK ("jobs"."rows_done" = "jobs"."rows_succeeded" + "jobs"."rows_failed" and "jobs"."rows_done" <= "jobs"."rows_total" and least("jobs"."rows_succeeded", "jobs"."rows_failed") >= 0),
	CONSTRAINT "jobs_credits_add_up" CHECK (least("jobs"."credits_held", "jobs"."credits_charged", "jobs"."credits_released") >= 0)
);
--> statement-breakpoint
CREATE TABLE "stripe_events" (
	"event_id" text PRIMARY KEY NOT NULL,
	"type" text NOT NULL,
	"status" text NOT NULL,
	"attempts" integer DEFAULT 0 NOT NULL,
	"error_code" text,
	"error" text,
	"payload" jsonb NOT NULL,
	"api_version" text,
	"user_id" uuid,
	"stripe_created_at" timestamp with time zone NOT NULL,
	"received_at" timestamp with time zone DEFAULT now() NOT NULL,
	"processed_at" timestamp with time zone,
	"next_attempt_at" timestamp with time zone,
	"waiting_for" text[],
	CONSTRAINT "stripe_events_status_known" CHECK ("stripe_events"."status" in ('pending','completed','skipped','failed')),
	CONSTRAINT "stripe_events_failed_has_error" CHECK ("stripe_events"."status" <> 'failed' or "stripe_events"."error_code" is not null)
);
--> statement-breakpoint
CREATE TABLE "stripe_grants" (
	"business_key" text PRIMARY KEY NOT NULL,
	"user_id" uuid NOT NULL,
	"credits" integer NOT NULL,
	"amount_cents" integer NOT NULL,
	"lot_kind" text NOT NULL,
	"claimed" integer DEFAULT 0 NOT NULL,
	"shortfall" integer DEFAULT 0 NOT NULL,
	CONSTRAINT "stripe_grants_claimed_in_range" CHECK ("stripe_grants"."shortfall" >= 0 and "stripe_grants"."shortfall" <= "stripe_grants"."claimed" and "stripe_grants"."claimed" <= "stripe_grants"."credits")
);
--> statement-breakpoint
CREATE TABLE "stripe_payment_refs" (
	"ref" text PRIMARY KEY NOT NULL,
	"business_key" text NOT NULL
);
--> statement-breakpoint
CREATE TABLE "stripe_prices" (
	"price_id" text PRIMARY KEY NOT NULL,
	"product_id" text NOT NULL,
	"kind" text NOT NULL,
	"key" text NOT NULL,
	"name" text NOT NULL,
	"credits" integer,
	"trial_credits" integer DEFAULT 0 NOT NULL,
	"interval" text,
	"grants_monthly" boolean DEFAULT false NOT NULL,
	"amount_cents" integer NOT NULL,
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
CREATE TABLE "stripe_reversals" (
	"reversal_id" text PRIMARY KEY NOT NULL,
	"kind" text NOT NULL,
	"business_key" text NOT NULL,
	"amount_cents" integer NOT NULL,
	"active" boolean NOT NULL,
	"finality" integer NOT NULL,
	"entries" text[] DEFAULT '{}' NOT NULL,
	CONSTRAINT "stripe_reversals_kind_known" CHECK ("stripe_reversals"."kind" in ('refund','refund_total','dispute')),
	CONSTRAINT "stripe_reversals_amount_not_negative" CHECK ("stripe_reversals"."amount_cents" >= 0)
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
	"granted_period_end" timestamp with time zone,
	"next_grant_at" timestamp with time zone,
	"stripe_event_at" timestamp with time zone,
	"stripe_event_rank" integer DEFAULT 0 NOT NULL
);
--> statement-breakpoint
CREATE TABLE "users" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"external_id" text,
	"email" text,
	"email_verified" boolean DEFAULT false NOT NULL,
	"stripe_customer_id" text,
	"tier" text DEFAULT 'free' NOT NULL,
	"unlimited" boolean DEFAULT false NOT NULL,
	"credits_balance" integer DEFAULT 0 NOT NULL,
	"credits_plan" integer DEFAULT 0 NOT NULL,
	"credits_bonus" integer DEFAULT 0 NOT NULL,
	"credits_purchased" integer DEFAULT 0 NOT NULL,
	"credits_held" integer DEFAULT 0 NOT NULL,
	"plan_set_at" timestamp with time zone,
	"purchased_reset_at" timestamp with time zone,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "users_external_id_key" UNIQUE("external_id"),
	CONSTRAINT "users_stripe_customer_id_key" UNIQUE("stripe_customer_id"),
	CONSTRAINT "users_balance_not_negative" CHECK ("users"."credits_balance" >= 0),
	CONSTRAINT "users_lots_not_negative" CHECK (least("users"."credits_plan", "users"."credits_bonus", "users"."credits_purchased", "users"."credits_held") >= 0),
	CONSTRAINT "users_balance_is_sum_of_lots" CHECK ("users"."credits_balance" = "users"."credits_plan" + "users"."credits_bonus" + "users"."credits_purchased")
);
--> statement-breakpoint
ALTER TABLE "credit_entries" ADD CONSTRAINT "credit_entries_user_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "credit_lots" ADD CONSTRAINT "credit_lots_user_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "credit_movements" ADD CONSTRAINT "credit_movements_entry_fk" FOREIGN KEY ("entry_id") REFERENCES "public"."credit_entries"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "credit_movements" ADD CONSTRAINT "credit_movements_lot_fk" FOREIGN KEY ("lot_id") REFERENCES "public"."credit_lots"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "job_chunks" ADD CONSTRAINT "job_chunks_job_fk" FOREIGN KEY ("job_id") REFERENCES "public"."jobs"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "jobs" ADD CONSTRAINT "jobs_user_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "stripe_events" ADD CONSTRAINT "stripe_events_user_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "stripe_grants" ADD CONSTRAINT "stripe_grants_user_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "stripe_payment_refs" ADD CONSTRAINT "stripe_payment_refs_grant_fk" FOREIGN KEY ("business_key") REFERENCES "public"."stripe_grants"("business_key") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "stripe_reversals" ADD CONSTRAINT "stripe_reversals_grant_fk" FOREIGN KEY ("business_key") REFERENCES "public"."stripe_grants"("business_key") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "subscriptions" ADD CONSTRAINT "subscriptions_user_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "credit_entries_user_idx" ON "credit_entries" USING btree ("user_id","id");--> statement-breakpoint
CREATE INDEX "credit_lots_user_idx" ON "credit_lots" USING btree ("user_id","id");--> statement-breakpoint
CREATE INDEX "jobs_user_created_idx" ON "jobs" USING btree ("user_id","created_at","id");--> statement-breakpoint
CREATE INDEX "jobs_running_idx" ON "jobs" USING btree ("progress_at") WHERE "jobs"."status" = 'running';--> statement-breakpoint
CREATE INDEX "stripe_events_due_idx" ON "stripe_events" USING btree ("next_attempt_at") WHERE "stripe_events"."next_attempt_at" is not null;--> statement-breakpoint
CREATE INDEX "stripe_events_waiting_idx" ON "stripe_events" USING gin ("waiting_for") WITH (fastupdate=false) WHERE "stripe_events"."waiting_for" is not null;--> statement-breakpoint
CREATE INDEX "stripe_events_received_idx" ON "stripe_events" USING btree ("received_at","event_id");--> statement-breakpoint
CREATE UNIQUE INDEX "stripe_prices_on_sale_key" ON "stripe_prices" USING btree ("kind","key") WHERE "stripe_prices"."active";--> statement-breakpoint
CREATE INDEX "stripe_reversals_grant_idx" ON "stripe_reversals" USING btree ("business_key");--> statement-breakpoint
CREATE INDEX "subscriptions_user_idx" ON "subscriptions" USING btree ("user_id");--> statement-breakpoint
CREATE INDEX "subscriptions_next_grant_idx" ON "subscriptions" USING btree ("next_grant_at") WHERE "subscriptions"."next_grant_at" is not null;--> statement-breakpoint
CREATE INDEX "users_email_lower_idx" ON "users" USING btree (lower("email"));