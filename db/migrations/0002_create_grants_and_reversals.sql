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
DROP INDEX "credit_lots_open_idx";--> statement-breakpoint
ALTER TABLE "credit_lots" ADD COLUMN "effective_at" timestamp with time zone DEFAULT '-infinity' NOT NULL;--> statement-breakpoint
ALTER TABLE "credit_lots" ADD COLUMN "reset_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "stripe_prices" ADD COLUMN "grants_monthly" boolean DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE "stripe_prices" ADD COLUMN "stripe_event_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "stripe_prices" ADD COLUMN "stripe_created_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "subscriptions" ADD COLUMN "next_grant_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "users" ADD COLUMN "plan_set_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "users" ADD COLUMN "purchased_reset_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "stripe_grants" ADD CONSTRAINT "stripe_grants_user_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "stripe_payment_refs" ADD CONSTRAINT "stripe_payment_refs_grant_fk" FOREIGN KEY ("business_key") REFERENCES "public"."stripe_grants"("business_key") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "stripe_reversals" ADD CONSTRAINT "stripe_reversals_grant_fk" FOREIGN KEY ("business_key") REFERENCES "public"."stripe_grants"("business_key") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "stripe_reversals_grant_idx" ON "stripe_reversals" USING btree ("business_key");--> statement-breakpoint
CREATE INDEX "credit_lots_user_idx" ON "credit_lots" USING btree ("user_id","id");--> statement-breakpoint
CREATE INDEX "stripe_events_received_idx" ON "stripe_events" USING btree ("received_at","event_id");--> statement-breakpoint
CREATE INDEX "subscriptions_next_grant_idx" ON "subscriptions" USING btree ("next_grant_at") WHERE "subscriptions"."next_grant_at" is not null;