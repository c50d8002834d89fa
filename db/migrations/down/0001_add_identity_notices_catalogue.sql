DROP VIEW prices_on_sale;
DROP TABLE notices, stripe_customers, stripe_products, watermarks;
-- A key has one price on sale again: the newest.
UPDATE stripe_prices p SET active = listed AND NOT EXISTS (
    SELECT 1 FROM stripe_prices o WHERE o.kind = p.kind AND o.key = p.key AND o.active AND o.listed
      AND (coalesce(o.stripe_created_at, '-infinity'), o.price_id)
        > (coalesce(p.stripe_created_at, '-infinity'), p.price_id))
  WHERE active;
DROP INDEX stripe_prices_key_idx;
CREATE UNIQUE INDEX stripe_prices_on_sale_key ON stripe_prices (kind, key) WHERE active;
ALTER TABLE stripe_prices DROP COLUMN listed;
DROP INDEX users_email_ascii_lower_idx;
CREATE INDEX users_email_lower_idx ON users (lower(email));
UPDATE stripe_events SET payload = 'null' WHERE payload IS NULL;
ALTER TABLE stripe_events DROP CONSTRAINT stripe_events_dismissed_has_reason, DROP COLUMN dismissed_reason,
  DROP COLUMN object_id, ALTER COLUMN payload SET NOT NULL;
DELETE FROM credit_facts WHERE kind = 'customer';
ALTER TABLE credit_facts DROP CONSTRAINT credit_facts_kind_known;
ALTER TABLE credit_facts ADD CONSTRAINT credit_facts_kind_known CHECK (kind in
  ('signup','state','invoice','plan','pack','reversal','allowance','adjustment','suspension','hold','release'));
