DROP INDEX subscriptions_next_grant_idx;
DROP INDEX stripe_events_received_idx;
ALTER TABLE users DROP COLUMN purchased_reset_at, DROP COLUMN plan_set_at;
DROP INDEX credit_lots_user_idx;
ALTER TABLE credit_lots DROP COLUMN reset_at, DROP COLUMN effective_at;
CREATE INDEX credit_lots_open_idx ON credit_lots (user_id, id)
  WHERE remaining > 0 OR (kind = 'plan' AND lapsed_at IS NULL);
ALTER TABLE subscriptions DROP COLUMN next_grant_at;
ALTER TABLE stripe_prices DROP COLUMN stripe_created_at, DROP COLUMN stripe_event_at, DROP COLUMN grants_monthly;
DROP TABLE stripe_reversals, stripe_payment_refs, stripe_grants;
