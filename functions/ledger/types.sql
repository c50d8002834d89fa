-- One step of an entry: what it does to one lot.
create type rowloom.lot_move as (lot_id bigint, kind text, amount integer, lapsed integer);
