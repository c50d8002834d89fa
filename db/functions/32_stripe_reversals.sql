-- Refunds and disputes: money that went back takes its credits with it.

-- {reversalId, kind: refund | refund_total | dispute, refs, amountCents, active, finality}
-- refund_total is a charge's own word on how much of it is refunded, for when the refunds are not named.
create or replace function rowloom.effect_reversal(e jsonb, p_event text) returns void
language plpgsql as $$
declare v_key text;
begin
  select business_key into v_key from stripe_payment_refs
    where ref in (select jsonb_array_elements_text(e -> 'refs')) limit 1;
  insert into stripe_payment_refs (ref, business_key)
    select distinct r, v_key from jsonb_array_elements_text(e -> 'refs') r on conflict do nothing;
  insert into stripe_reversals (reversal_id, kind, business_key, amount_cents, active, finality)
    values (e ->> 'reversalId', e ->> 'kind', v_key, (e ->> 'amountCents')::integer, (e ->> 'active')::boolean,
      (e ->> 'finality')::integer)
    on conflict (reversal_id) do update set amount_cents = excluded.amount_cents, active = excluded.active,
      finality = excluded.finality
      where stripe_reversals.finality < excluded.finality
        or (stripe_reversals.finality = excluded.finality and stripe_reversals.amount_cents < excluded.amount_cents);
  perform rowloom.reversal_settle(v_key, e ->> 'reversalId', p_event);
end $$;

-- Brings what is claimed from a grant in line with what its reversals say together: in proportion to
-- the money, never more than was granted. The user's row is locked.
create or replace function rowloom.reversal_settle(p_key text, p_reversal text, p_event text) returns void
language plpgsql as $$
declare
  g stripe_grants%rowtype;
  r stripe_reversals%rowtype;
  v_cents bigint;
  v_target integer;
  v_change integer;
  v_forgiven integer;
  v_entry text;
  v_moved integer;
  v_details jsonb;
begin
  select * into g from stripe_grants where business_key = p_key for update;
  select * into r from stripe_reversals where reversal_id = p_reversal;
  -- A charge's total counts refunds that were not named; named ones that failed are taken off it.
  select greatest(
      coalesce(sum(amount_cents) filter (where kind = 'refund' and active), 0),
      coalesce(max(amount_cents) filter (where kind = 'refund_total' and active), 0)
        - coalesce(sum(amount_cents) filter (where kind = 'refund' and not active), 0))
      + coalesce(sum(amount_cents) filter (where kind = 'dispute' and active), 0)
    into v_cents from stripe_reversals where business_key = p_key;
  v_target := case when g.amount_cents = 0 then 0
    else round(g.credits::numeric * least(v_cents, g.amount_cents) / g.amount_cents) end;
  v_change := v_target - g.claimed;
  if v_change = 0 and (cardinality(r.entries) > 0 or not r.active) then
    return;
  end if;

  v_entry := format('%s:%s', r.kind, r.reversal_id)
    || case when cardinality(r.entries) > 0 then ':' || (cardinality(r.entries) + 1) else '' end;
  v_details := jsonb_build_object('eventId', p_event, 'grant', p_key, 'amountCents', r.amount_cents);
  if v_change >= 0 then
    select -l.amount into v_moved from rowloom.ledger_post(g.user_id, 'TAKE_BACK', v_change, 'take_back', v_entry,
      'stripe_' || r.kind, r.reversal_id, p_lot_kind => g.lot_kind, p_details => v_details,
      p_ref => (select source_id from credit_entries where business_key = p_key)) l;
    update stripe_grants set claimed = v_target, shortfall = shortfall + v_change - v_moved where business_key = p_key;
  else
    -- What could not be taken need not be given back.
    v_forgiven := least(g.shortfall, -v_change);
    perform rowloom.ledger_post(g.user_id, 'GIVE_BACK', -v_change - v_forgiven, 'give_back', v_entry,
      'stripe_' || r.kind, r.reversal_id, p_details => v_details,
      p_refs => array(select unnest(entries) from stripe_reversals where business_key = p_key));
    update stripe_grants set claimed = v_target, shortfall = shortfall - v_forgiven where business_key = p_key;
  end if;
  update stripe_reversals set entries = entries || v_entry where reversal_id = p_reversal;
end $$;

-- {invoiceId, refs}: an invoice's payment becomes known by more ids.
create or replace function rowloom.effect_link_payment(e jsonb) returns void language plpgsql as $$
declare v_key text;
begin
  select business_key into v_key from stripe_payment_refs where ref = e ->> 'invoiceId';
  insert into stripe_payment_refs (ref, business_key)
    select distinct r, v_key from jsonb_array_elements_text(e -> 'refs') r where v_key is not null
    on conflict do nothing;
  perform rowloom.events_wake(array(select jsonb_array_elements_text(e -> 'refs')));
end $$;
