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
CREATE TRIGGER credit_movements_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON credit_movements
  FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_rewrite();
