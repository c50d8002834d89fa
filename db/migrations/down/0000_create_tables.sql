DROP TABLE job_chunks, jobs, catalogue_version, payment_refs, stripe_prices, subscriptions, stripe_events,
  credit_holds, credit_lots, credit_entries, credit_facts, users;
DROP FUNCTION ledger_refuse_rewrite(), catalogue_count_change();
