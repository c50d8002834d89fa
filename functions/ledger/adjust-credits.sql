-- Adds bonus credits (p_amount > 0) or takes credits back (bonus, then plan, then purchased), once per
-- business key. More than there is is not taken: nothing changes.
-- → {outcome: posted | replayed, entry} | {outcome: balance_too_low | balance_too_high, balance}
--   | {outcome: unknown_user | key_reused}
create function rowloom.credits_adjust(p_user text, p_amount integer, p_reason text, p_key text)
returns jsonb language plpgsql as $$
declare
  v_user uuid := rowloom.user_find(p_user);
  v_balance integer;
  v_entry bigint;
  e credit_entries%rowtype;
begin
  if v_user is null then
    return '{"outcome":"unknown_user"}';
  end if;
  -- The user's row does not keep two users from racing for one key.
  perform pg_advisory_xact_lock(hashtextextended(p_key, 0));
  select * into e from credit_entries where business_key = p_key;
  if found then
    if e.user_id <> v_user or e.amount <> p_amount or e.details ->> 'reason' is distinct from p_reason then
      return '{"outcome":"key_reused"}';
    end if;
    return jsonb_build_object('outcome', 'replayed', 'entry', to_jsonb(e));
  end if;

  select credits_balance into v_balance from users where id = v_user for no key update;
  if v_balance + p_amount::bigint not between 0 and 2147483647 then
    return jsonb_build_object('balance', v_balance,
      'outcome', case when p_amount < 0 then 'balance_too_low' else 'balance_too_high' end);
  end if;
  select l.entry_id into v_entry from rowloom.ledger_post(v_user,
    case when p_amount > 0 then 'ADD' else 'TAKE_BACK' end, abs(p_amount), 'admin', p_key, 'admin', p_key,
    -- Given now: a reset from before it that comes late leaves it alone.
    p_at => case when p_amount > 0 then clock_timestamp() end,
    p_lot_kind => 'bonus', p_details => jsonb_build_object('reason', p_reason)) l;
  select * into e from credit_entries where id = v_entry;
  return jsonb_build_object('outcome', 'posted', 'entry', to_jsonb(e));
end $$;
