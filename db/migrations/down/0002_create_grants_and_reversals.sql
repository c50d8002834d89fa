DROP INDEX subscriptions_next_grant_idx;
DROP INDEX stripe_events_received_idx;
ALTER TABLE subscriptions DROP COLUMN next_grant_at, DROP COLUMN granted_invoice_at;
ALTER TABLE stripe_prices DROP COLUMN stripe_event_at, DROP COLUMN grants_monthly;
DROP TABLE stripe_reversals, stripe_payment_refs, stripe_grants;
