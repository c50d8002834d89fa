-- What a decided Stripe event does. Each effect takes the user, whose row is locked, one effect and the
-- event's id; a cause that can go away is raised as RL4xx and undoes the whole event.

create function rowloom.price_of(p_price text) returns stripe_prices
language plpgsql stable as $$
declare v_price stripe_prices%rowtype;
begin
  select * into v_price from stripe_prices where price_id = p_price and kind = 'plan';
  if not found then
    raise exception using errcode = 'RL404', message = 'unknown_price',
      detail = format('Price %s is not a plan of the catalogue; run stripe:setup or add it to stripe_prices.', p_price);
  end if;
  return v_price;
end $$;

-- Whoever brings what events wait for holds this lock, shared, from before it looks for them until it
-- commits; whoever fails takes it alone and looks once more. So no event falls between the two.
create function rowloom.lock_waiting(p_alone boolean) returns void language sql as $$
  select case when p_alone then pg_advisory_xact_lock(7291134) else pg_advisory_xact_lock_shared(7291134) end
$$;

-- Makes due what waited for one of these; gives how many. One that is being tried looks for itself.
create function rowloom.events_wake(p_refs text[]) returns integer language plpgsql as $$
declare v_woken integer;
begin
  perform rowloom.lock_waiting(false);
  update stripe_events set next_attempt_at = clock_timestamp()
    where event_id in (
      select event_id from stripe_events where waiting_for && p_refs and status = 'failed'
        for update skip locked);
  get diagnostics v_woken = row_count;
  return v_woken;
end $$;

-- Remembers what a payment bought and by which Stripe ids it is known.
create function rowloom.grant_remember(
  p_user uuid, p_key text, p_credits integer, p_amount_cents integer, p_lot_kind text, p_refs jsonb
) returns void language plpgsql as $$
declare v_refs text[] := array(select jsonb_array_elements_text(p_refs));
begin
  insert into stripe_grants (business_key, user_id, credits, amount_cents, lot_kind)
    values (p_key, p_user, p_credits, p_amount_cents, p_lot_kind) on conflict do nothing;
  insert into stripe_payment_refs (ref, business_key) select distinct r, p_key from unnest(v_refs) r
    on conflict do nothing;
  perform rowloom.events_wake(v_refs || p_key);
end $$;

create function rowloom.plan_key(p_subscription text, p_period_end text, p_plan text)
returns text language sql immutable as $$
  select format('plan:%s:%s:%s', p_subscription, p_period_end, p_plan)
$$;

-- {subscriptionId, customerId, priceId, quantity, periodStart, periodEnd, invoiceId, at, cause,
--  total, subtotal, paid, currency, refs}. What a change means depends on the changes before it, which
-- may not have come: RL409 unless `force`, which says that the caller has brought them.
create function rowloom.effect_grant_plan(p_user uuid, e jsonb, p_event text, p_options jsonb)
returns void language plpgsql as $$
declare
  v_price stripe_prices%rowtype := rowloom.price_of(e ->> 'priceId');
  v_sub text := e ->> 'subscriptionId';
  v_end timestamptz := to_timestamp((e ->> 'periodEnd')::bigint);
  v_at timestamptz := to_timestamp((e ->> 'at')::bigint);
  v_key text := rowloom.plan_key(v_sub, e ->> 'periodEnd', v_price.key);
  v_kind text := case e ->> 'cause' when 'cycle' then 'plan_renewal' when 'update' then 'plan_change' else 'plan_grant' end;
  v_details jsonb := jsonb_build_object('eventId', p_event, 'plan', v_price.key, 'subscriptionId', v_sub);
  v_credits integer;
  v_source text;
  s subscriptions%rowtype;
begin
  insert into subscriptions (stripe_subscription_id, user_id, stripe_customer_id, status, plan, price_id,
      quantity, interval, current_period_start, current_period_end, stripe_event_rank)
    values (v_sub, p_user, e ->> 'customerId', 'active', v_price.key, v_price.price_id,
      (e ->> 'quantity')::integer, v_price.interval, to_timestamp((e ->> 'periodStart')::bigint), v_end, -1)
    on conflict do nothing;
  select * into s from subscriptions where stripe_subscription_id = v_sub for update;
  select source_id into v_source from credit_entries where business_key = v_key;
  if v_source = e ->> 'invoiceId' or exists (
      select 1 from credit_entries where business_key = 'plan_again:' || (e ->> 'invoiceId')) then
    return; -- the same invoice under another event
  end if;

  if e ->> 'cause' = 'update' and not coalesce((p_options ->> 'force')::boolean, false) then
    raise exception using errcode = 'RL409', message = 'earlier_invoices',
      detail = format('Invoice %s changes a plan: the invoices before it come first.', e ->> 'invoiceId');
  end if;

  -- A zero invoice of a priced plan is a trial's, unless a coupon (a subtotal) paid for it in the price's currency.
  v_credits := case
    when (e ->> 'total')::integer = 0 and v_price.amount_cents > 0
      and ((e ->> 'subtotal')::integer = 0 or e ->> 'currency' is distinct from v_price.currency)
      then v_price.trial_credits
    else v_price.credits * (e ->> 'quantity')::integer end;
  if (e ->> 'total')::integer = 0 and v_credits = 0 then
    return; -- a trial that grants nothing takes nothing either
  end if;

  if s.granted_period_end > v_end or v_at < (select plan_set_at from users where id = p_user) then
    -- Late: what came after it holds. The entry says that it was seen.
    perform rowloom.ledger_post(p_user, 'RECORD', 0, v_kind,
      case when v_source is null then v_key else 'plan_again:' || (e ->> 'invoiceId') end,
      'stripe_invoice', e ->> 'invoiceId', p_details => v_details || '{"late":true}');
  else
    if v_source is null then
      perform rowloom.ledger_post(p_user, 'SET', v_credits, v_kind, v_key, 'stripe_invoice', e ->> 'invoiceId',
        p_keep_purchased => p_options ->> 'creditRenewal' = 'keep-purchased', p_details => v_details, p_at => v_at);
    else
      -- Granted in this period already: going back to it mints nothing.
      v_key := 'plan_again:' || (e ->> 'invoiceId');
      perform rowloom.ledger_post(p_user, 'LIMIT', coalesce(v_credits, 2147483647), v_kind, v_key,
        'stripe_invoice', e ->> 'invoiceId', p_details => v_details, p_at => v_at);
      update users set unlimited = v_price.credits is null where id = p_user;
      v_credits := 0;
    end if;
    update subscriptions set granted_period_end = greatest(granted_period_end, v_end),
        next_grant_at = case when v_price.grants_monthly
          then to_timestamp((e ->> 'periodStart')::bigint) + interval '1 month' end
      where stripe_subscription_id = v_sub;
    -- A last invoice may be paid after the subscription has ended: its credits stay, the plan is over.
    update users set tier = case when s.ended_at is null then v_price.key else tier end,
        unlimited = unlimited and s.ended_at is null
      where id = p_user;
  end if;
  perform rowloom.grant_remember(p_user, v_key, coalesce(v_credits, 0), (e ->> 'paid')::integer, 'plan', e -> 'refs');
end $$;

-- {sessionId, pack, priceId, quantity, total, refs, at}: the price of the sale if named, else the one on sale.
create function rowloom.effect_grant_pack(p_user uuid, e jsonb, p_event text)
returns void language plpgsql as $$
declare
  v_price stripe_prices%rowtype;
  v_key text := 'pack:' || (e ->> 'sessionId');
  v_credits integer;
begin
  select * into v_price from stripe_prices
    where kind = 'pack' and key = e ->> 'pack' and (price_id = e ->> 'priceId' or active)
    order by (price_id = e ->> 'priceId') desc nulls last limit 1;
  if not found then
    raise exception using errcode = 'RL404', message = 'unknown_price',
      detail = format('Pack %s is not in the catalogue; run stripe:setup or add it to stripe_prices.', e ->> 'pack');
  end if;
  v_credits := v_price.credits * (e ->> 'quantity')::integer;
  perform rowloom.ledger_post(p_user, 'ADD', v_credits, 'pack', v_key,
    'stripe_checkout_session', e ->> 'sessionId', p_lot_kind => 'purchased',
    p_at => to_timestamp((e ->> 'at')::bigint),
    p_details => jsonb_build_object('eventId', p_event, 'pack', v_price.key, 'quantity', (e ->> 'quantity')::integer));
  perform rowloom.grant_remember(p_user, v_key, v_credits, (e ->> 'total')::integer, 'purchased', e -> 'refs');
end $$;

-- Annual plans that grant monthly: the months that are due, each on its own key.
create function rowloom.grant_due_months(p_now timestamptz, p_limit integer, p_options jsonb)
returns integer language plpgsql as $$
declare
  s record;
  v_count integer := 0;
begin
  for s in
    select sub.*, p.credits, p.key
      from subscriptions sub join stripe_prices p on p.price_id = sub.price_id
      where sub.next_grant_at is not null and sub.next_grant_at <= p_now
      order by sub.next_grant_at limit p_limit
  loop
    -- Lock order: user, then subscription.
    perform 1 from users where id = s.user_id for no key update;
    perform 1 from subscriptions where stripe_subscription_id = s.stripe_subscription_id
      and next_grant_at = s.next_grant_at for update;
    continue when not found;
    if s.status = 'active' and s.next_grant_at < s.granted_period_end then
      perform rowloom.ledger_post(s.user_id, 'SET', s.credits * s.quantity, 'plan_renewal',
        rowloom.plan_key(s.stripe_subscription_id, extract(epoch from s.granted_period_end)::bigint::text, s.key)
          || ':' || to_char(s.next_grant_at at time zone 'UTC', 'YYYY-MM-DD'),
        'stripe_subscription', s.stripe_subscription_id,
        p_keep_purchased => p_options ->> 'creditRenewal' = 'keep-purchased', p_at => s.next_grant_at,
        p_details => jsonb_build_object('plan', s.key, 'subscriptionId', s.stripe_subscription_id));
      v_count := v_count + 1;
    end if;
    update subscriptions set next_grant_at = case
        when s.next_grant_at + interval '1 month' < s.granted_period_end and s.status <> 'canceled'
          then s.next_grant_at + interval '1 month' end
      where stripe_subscription_id = s.stripe_subscription_id;
  end loop;
  return v_count;
end $$;
