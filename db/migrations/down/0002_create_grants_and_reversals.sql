DROP INDEX subscriptions_next_grant_idx;
DROP INDEX stripe_events_received_idx;
ALTER TABLE users DROP COLUMN purchased_reset_at, DROP COLUMN plan_set_at;
ALTER TABLE credit_lots DROP COLUMN effective_at;
ALTER TABLE subscriptions DROP COLUMN next_grant_at;
ALTER TABLE stripe_prices DROP COLUMN stripe_event_at, DROP COLUMN grants_monthly;
DROP TABLE stripe_reversals, stripe_payment_refs, stripe_grants;
