CREATE TABLE "notices" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "notices_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"at" timestamp with time zone DEFAULT now() NOT NULL,
	"kind" text NOT NULL,
	"user_id" uuid,
	"subject_type" text NOT NULL,
	"subject_id" text NOT NULL,
	"detail" text NOT NULL,
	"closed_at" timestamp with time zone,
	"closed_reason" text,
	CONSTRAINT "notices_kind_known" CHECK ("notices"."kind" in ('duplicate_subscription','unlinked_payment','fraud_warning','renamed_price','provider_refused','reconcile_difference','audit_difference','account_suspended')),
	CONSTRAINT "notices_closed_has_reason" CHECK (("notices"."closed_at" is null) = ("notices"."closed_reason" is null))
);
--> statement-breakpoint
CREATE TABLE "stripe_customers" (
	"customer_id" text PRIMARY KEY NOT NULL,
	"user_id" uuid NOT NULL,
	"is_chosen" boolean DEFAULT false NOT NULL,
	"deleted_at" timestamp with time zone
);
--> statement-breakpoint
CREATE TABLE "stripe_products" (
	"product_id" text PRIMARY KEY NOT NULL,
	"name" text NOT NULL,
	"stripe_event_at" timestamp with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "watermarks" (
	"name" text PRIMARY KEY NOT NULL,
	"at" timestamp with time zone NOT NULL
);
--> statement-breakpoint
ALTER TABLE "credit_facts" DROP CONSTRAINT "credit_facts_kind_known";--> statement-breakpoint
DROP INDEX "stripe_prices_on_sale_key";--> statement-breakpoint
DROP INDEX "users_email_lower_idx";--> statement-breakpoint
ALTER TABLE "stripe_events" ALTER COLUMN "payload" DROP NOT NULL;--> statement-breakpoint
ALTER TABLE "stripe_events" ADD COLUMN "object_id" text;--> statement-breakpoint
ALTER TABLE "stripe_events" ADD COLUMN "dismissed_reason" text;--> statement-breakpoint
ALTER TABLE "stripe_prices" ADD COLUMN "listed" boolean DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE "notices" ADD CONSTRAINT "notices_user_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "stripe_customers" ADD CONSTRAINT "stripe_customers_user_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE UNIQUE INDEX "notices_open_key" ON "notices" USING btree ("kind","subject_type","subject_id") WHERE "notices"."closed_at" is null;--> statement-breakpoint
CREATE INDEX "notices_subject_idx" ON "notices" USING btree ("subject_id");--> statement-breakpoint
CREATE INDEX "stripe_customers_user_idx" ON "stripe_customers" USING btree ("user_id");--> statement-breakpoint
CREATE INDEX "stripe_prices_key_idx" ON "stripe_prices" USING btree ("kind","key");--> statement-breakpoint
CREATE INDEX "users_email_ascii_lower_idx" ON "users" USING btree (lower("email" collate "C"));--> statement-breakpoint
ALTER TABLE "credit_facts" ADD CONSTRAINT "credit_facts_kind_known" CHECK ("credit_facts"."kind" in ('signup','customer','state','invoice','plan','pack','reversal','allowance','adjustment','suspension','hold','release'));--> statement-breakpoint
ALTER TABLE "stripe_events" ADD CONSTRAINT "stripe_events_dismissed_has_reason" CHECK (("stripe_events"."status" = 'dismissed') = ("stripe_events"."dismissed_reason" is not null));--> statement-breakpoint
CREATE VIEW "public"."prices_on_sale" AS (
  select distinct on (kind, key) price_id, kind, key from stripe_prices where active and listed
    order by kind, key, stripe_created_at desc nulls last, price_id desc);--> statement-breakpoint
UPDATE stripe_prices SET listed = active;
--> statement-breakpoint
-- Customers as they are known so far: of accounts, then of subscriptions that have come with others.
INSERT INTO stripe_customers (customer_id, user_id)
  SELECT stripe_customer_id, id FROM users WHERE stripe_customer_id IS NOT NULL;
--> statement-breakpoint
INSERT INTO stripe_customers (customer_id, user_id)
  SELECT DISTINCT ON (stripe_customer_id) stripe_customer_id, user_id FROM subscriptions
    WHERE stripe_customer_id IS NOT NULL ORDER BY stripe_customer_id, stripe_subscription_id
    ON CONFLICT DO NOTHING;
--> statement-breakpoint
-- Whoever else chooses an account that has a customer is outside: see functions/ledger/payers.pure.ts.
INSERT INTO credit_facts (key, user_id, kind, at, position, body)
  SELECT 'customer:' || customer_id, user_id, 'customer', 'epoch', '0.customer:' || customer_id,
      jsonb_build_object('kind', 'customer', 'key', 'customer:' || customer_id, 'atUs', 0, 'decidedAtMs', 0,
        'customer', customer_id)
    FROM stripe_customers;
