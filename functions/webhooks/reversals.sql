-- Refunds and disputes: money that went back takes its credits with it.

-- {reversalId, kind: refund | refund_total | dispute, refs, amountCents, active, finality, moved, at}: moved
-- tells whether money has gone, even if it is back by now.
-- refund_total is a charge's own word on how much of it is refunded: RL409 while refunds are missing that
-- could say it by name; with `force` it counts itself.
create function rowloom.effect_reversal(e jsonb, p_event text, p_options jsonb) returns void
language plpgsql as $$
declare
  v_key text;
  v_named bigint;
begin
  select business_key into v_key from stripe_payment_refs
    where ref in (select jsonb_array_elements_text(e -> 'refs')) limit 1;
  if e ->> 'kind' = 'refund_total' then
    select sum(amount_cents) into v_named from stripe_reversals where business_key = v_key and kind = 'refund';
    if v_named >= (e ->> 'amountCents')::bigint then
      return; -- every refund of it is known by name
    elsif not coalesce((p_options ->> 'force')::boolean, false) then
      raise exception using errcode = 'RL409', message = 'refunds_unnamed', hint = e ->> 'reversalId',
        detail = format('Charge %s is refunded, and its refunds have not come yet.', e ->> 'reversalId');
    end if;
  end if;
  insert into stripe_payment_refs (ref, business_key)
    select distinct r, v_key from jsonb_array_elements_text(e -> 'refs') r on conflict do nothing;
  insert into stripe_reversals (reversal_id, kind, business_key, amount_cents, active, finality)
    values (e ->> 'reversalId', e ->> 'kind', v_key, (e ->> 'amountCents')::integer, (e ->> 'active')::boolean,
      (e ->> 'finality')::integer)
    on conflict (reversal_id) do update set amount_cents = excluded.amount_cents, active = excluded.active,
      finality = excluded.finality
      where stripe_reversals.finality < excluded.finality
        or (stripe_reversals.finality = excluded.finality and stripe_reversals.amount_cents < excluded.amount_cents);
  perform rowloom.reversal_settle(v_key, e ->> 'reversalId', p_event, (e ->> 'moved')::boolean,
    to_timestamp((e ->> 'at')::bigint));
end $$;

-- An entry that moves nothing.
create function rowloom.reversal_record(
  g stripe_grants, r stripe_reversals, p_event text, p_kind text, p_suffix text
) returns void language plpgsql as $$
declare v_entry text := format('%s:%s%s', r.kind, r.reversal_id, p_suffix);
begin
  perform rowloom.ledger_post(g.user_id, 'RECORD', 0, p_kind, v_entry, 'stripe_' || r.kind, r.reversal_id,
    p_details => jsonb_build_object('eventId', p_event, 'grant', g.business_key, 'amountCents', r.amount_cents, 'late', true));
  update stripe_reversals set entries = entries || v_entry where reversal_id = r.reversal_id;
end $$;

-- Brings what is claimed from a grant in line with what its reversals say together: in proportion to
-- the money, never more than was granted. The user's row is locked.
create function rowloom.reversal_settle(p_key text, p_reversal text, p_event text, p_moved boolean,
  p_at timestamptz) returns void
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
  if v_change = 0 and not r.active and cardinality(r.entries) = 0 and p_moved then
    -- It was undone before it was heard of: both halves are on record, and move nothing.
    perform rowloom.reversal_record(g, r, p_event, 'take_back', '');
    perform rowloom.reversal_record(g, r, p_event, 'give_back', ':2');
    return;
  elsif v_change = 0 and (cardinality(r.entries) > 0 or not r.active) then
    return;
  end if;

  v_entry := format('%s:%s', r.kind, r.reversal_id)
    || case when cardinality(r.entries) > 0 then ':' || (cardinality(r.entries) + 1) else '' end;
  v_details := jsonb_build_object('eventId', p_event, 'grant', p_key, 'amountCents', r.amount_cents);
  if v_change >= 0 then
    select -l.amount into v_moved from rowloom.ledger_post(g.user_id, 'TAKE_BACK', v_change, 'take_back', v_entry,
      'stripe_' || r.kind, r.reversal_id, p_lot_kind => g.lot_kind, p_details => v_details, p_at => p_at,
      p_ref => (select source_id from credit_entries where business_key = p_key)) l;
    update stripe_grants set claimed = v_target,
        shortfall = shortfall + case when exists (
            select 1 from credit_entries where business_key = v_entry and details ? 'late')
          then 0 else v_change - v_moved end
      where business_key = p_key;
  else
    -- What was not taken need not be given back.
    select greatest(0, -v_change + coalesce(sum(m.amount + m.lapsed), 0)) into v_forgiven
      from credit_movements m join credit_entries x on x.id = m.entry_id
      where x.business_key in (select unnest(entries) from stripe_reversals where business_key = p_key);
    perform rowloom.ledger_post(g.user_id, 'GIVE_BACK', -v_change - v_forgiven, 'give_back', v_entry,
      'stripe_' || r.kind, r.reversal_id, p_details => v_details,
      p_refs => array(select unnest(entries) from stripe_reversals where business_key = p_key));
    update stripe_grants set claimed = v_target, shortfall = greatest(0, shortfall - v_forgiven) where business_key = p_key;
  end if;
  update stripe_reversals set entries = entries || v_entry where reversal_id = p_reversal;
end $$;

-- {invoiceId, refs}: an invoice's payment becomes known by more ids.
create function rowloom.effect_link_payment(e jsonb) returns void language plpgsql as $$
declare v_key text;
begin
  select business_key into v_key from stripe_payment_refs where ref = e ->> 'invoiceId';
  insert into stripe_payment_refs (ref, business_key)
    select distinct r, v_key from jsonb_array_elements_text(e -> 'refs') r where v_key is not null
    on conflict do nothing;
  perform rowloom.events_wake(array(select jsonb_array_elements_text(e -> 'refs')));
end $$;
