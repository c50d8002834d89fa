DROP TRIGGER credit_movements_append_only ON credit_movements;
DROP TRIGGER credit_entries_append_only ON credit_entries;
DROP FUNCTION ledger_refuse_rewrite();
