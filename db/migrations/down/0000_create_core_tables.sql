DROP TABLE job_chunks, jobs, stripe_reversals, stripe_payment_refs, stripe_grants, stripe_prices,
  subscriptions, stripe_events, credit_movements, credit_lots, credit_entries, users;
