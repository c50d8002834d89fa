-- A user's entries below p_cursor, newest first, each with what it did to the lots (`added`, `taken`,
-- `lapsed` on the way back) and every Stripe id that its payment is known by.
create function rowloom.credits_explain_entries(p_user uuid, p_cursor bigint, p_limit integer)
returns jsonb language sql stable as $$
  with page as (
    select e.*, coalesce(e.details ->> 'grant', e.business_key) as grant_key from credit_entries e
      where e.user_id = p_user and (p_cursor is null or e.id < p_cursor)
      order by e.id desc limit p_limit
  ), refs as (
    select r.business_key, jsonb_agg(r.ref order by r.ref) as ids from stripe_payment_refs r
      where r.business_key in (select grant_key from page) group by r.business_key
  )
  select coalesce(jsonb_agg(to_jsonb(p) || jsonb_build_object(
      'refs', coalesce(r.ids, '[]'),
      'added', coalesce(m.added, 0), 'taken', coalesce(m.taken, 0), 'lapsed', coalesce(m.lapsed, 0)
    ) order by p.id desc), '[]')
    from page p
    left join refs r on r.business_key = p.grant_key
    cross join lateral (
      select sum(c.amount) filter (where c.amount > 0) as added, -sum(c.amount) filter (where c.amount < 0) as taken,
          sum(c.lapsed) as lapsed
        from credit_movements c where c.entry_id = p.id) m
$$;

-- Refunds and disputes of what the user bought, with the grant that each one claims from.
create function rowloom.credits_explain_reversals(p_user uuid) returns jsonb
language sql stable as $$
  select coalesce(jsonb_agg(x.reversal order by x.id), '[]') from (
    select r.reversal_id as id, jsonb_build_object('id', r.reversal_id, 'kind', r.kind,
        'amountCents', r.amount_cents, 'active', r.active, 'entries', r.entries, 'grant', jsonb_build_object(
          'businessKey', g.business_key, 'credits', g.credits, 'amountCents', g.amount_cents,
          'claimed', g.claimed, 'shortfall', g.shortfall)) as reversal
      from stripe_grants g join stripe_reversals r using (business_key)
      -- The ledger knows a user's grants by an index; the grants do not.
      where g.business_key in (select business_key from credit_entries where user_id = p_user)
      order by r.reversal_id limit 500
  ) x
$$;

-- Events not applied yet that name the user by an id, a customer, an e-mail address or a payment: at most
-- 100, the oldest first, among the 2,000 oldest. → {events: [{…, payload}], complete}
create function rowloom.credits_explain_events(p_user uuid) returns jsonb
language sql stable as $$
  with names as (
    select array_agg(lower(n)) || array_agg(n) as plain, array_agg(lower(to_jsonb(n)::text)) as quoted
      from users u, lateral unnest(array[u.id::text, u.external_id, u.stripe_customer_id, u.email]) n
      where u.id = p_user and n <> ''
  ), open as (
    select * from stripe_events where status in ('failed', 'pending')
      order by stripe_created_at, event_id limit 2001
  ), found as (
    select o.event_id, o.type, o.status, o.attempts, o.error_code, o.error, o.payload, o.api_version,
        o.stripe_created_at, o.next_attempt_at, row_number() over (order by o.stripe_created_at, o.event_id) as nth
      from open o, names n, lateral (select lower(o.payload::text) as text, o.payload #> '{data,object}' as object) p
      where o.waiting_for && n.plain
        or exists (select 1 from unnest(n.quoted) q where strpos(p.text, q) > 0)
        or exists (
          select 1 from stripe_payment_refs r join credit_entries e using (business_key)
            where e.user_id = p_user and r.ref = any(o.waiting_for || array[
              p.object ->> 'id', p.object ->> 'payment_intent', p.object ->> 'charge', p.object ->> 'invoice']))
      order by nth limit 101
  )
  select jsonb_build_object(
    'events', coalesce((select jsonb_agg(to_jsonb(f) order by nth) from found f where nth <= 100), '[]'),
    'complete', (select count(*) <= 2000 from open) and (select count(*) <= 100 from found))
$$;

-- Why a user's balance is what it is, as of one moment; null for an unknown user.
create function rowloom.credits_explain(p_user text, p_limit integer, p_cursor bigint default null) returns jsonb
language sql stable as $$
  select jsonb_build_object(
    'user', jsonb_build_object('id', u.id, 'externalId', u.external_id, 'balance', u.credits_balance,
      'plan', u.credits_plan, 'bonus', u.credits_bonus, 'purchased', u.credits_purchased,
      'held', u.credits_held, 'unlimited', u.unlimited),
    'sum', (select coalesce(sum(e.amount), 0) from credit_entries e where e.user_id = u.id),
    'lots', (
      select coalesce(jsonb_agg(to_jsonb(l) order by l.id), '[]') from (
        select * from credit_lots where user_id = u.id order by (remaining > 0) desc, id desc limit 1000) l),
    'entries', rowloom.credits_explain_entries(u.id, p_cursor, p_limit + 1),
    'reversals', rowloom.credits_explain_reversals(u.id),
    'open', rowloom.credits_explain_events(u.id))
    from users u where u.id = rowloom.user_find(p_user)
$$;

-- Who each identity is: a user's id or, where it names nobody or several, null.
create function rowloom.users_of(p_identities jsonb) returns jsonb
language plpgsql stable as $$
declare
  v_identity jsonb;
  v_user uuid;
  v_users jsonb := '[]';
begin
  for v_identity in select jsonb_array_elements(p_identities) loop
    begin
      v_user := rowloom.user_resolve(v_identity);
    exception when sqlstate 'RL404' or sqlstate 'RL409' then
      v_user := null;
    end;
    v_users := v_users || jsonb_build_array(v_user);
  end loop;
  return v_users;
end $$;
