-- What a decided Stripe event does. Each takes the locked user, one effect, the event's id and
-- {creditRenewal}; a cause that an operator can remove is raised as RL4xx and undoes the whole event.

create or replace function rowloom.price_of(p_price text) returns stripe_prices
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

-- {subscriptionId, customerId, priceId, quantity, periodStart, periodEnd, invoiceId, cause, trial}
create or replace function rowloom.effect_grant_plan(p_user uuid, e jsonb, p_event text, p_options jsonb)
returns void language plpgsql as $$
declare
  v_price stripe_prices%rowtype := rowloom.price_of(e ->> 'priceId');
  v_end timestamptz := to_timestamp((e ->> 'periodEnd')::bigint);
  v_granted timestamptz;
  v_credits integer;
begin
  insert into subscriptions (stripe_subscription_id, user_id, stripe_customer_id, status, plan, price_id,
      quantity, interval, current_period_start, current_period_end)
    values (e ->> 'subscriptionId', p_user, e ->> 'customerId', 'active', v_price.key, v_price.price_id,
      (e ->> 'quantity')::integer, v_price.interval, to_timestamp((e ->> 'periodStart')::bigint), v_end)
    on conflict do nothing;
  select granted_period_end into v_granted from subscriptions
    where stripe_subscription_id = e ->> 'subscriptionId' for update;
  if v_granted > v_end then
    return; -- a late invoice of an older period never resets a newer one
  end if;
  v_credits := case when (e ->> 'trial')::boolean then v_price.trial_credits
    else v_price.credits * (e ->> 'quantity')::integer end;
  if (e ->> 'trial')::boolean and v_credits = 0 then
    return; -- a trial that grants nothing takes nothing either
  end if;
  perform rowloom.ledger_post(p_user, 'SET', v_credits,
    case e ->> 'cause' when 'cycle' then 'plan_renewal' when 'update' then 'plan_change' else 'plan_grant' end,
    format('plan:%s:%s:%s', e ->> 'subscriptionId', e ->> 'periodEnd', v_price.key),
    'stripe_invoice', e ->> 'invoiceId',
    p_keep_purchased => p_options ->> 'creditRenewal' = 'keep-purchased',
    p_details => jsonb_build_object('eventId', p_event, 'plan', v_price.key, 'subscriptionId', e ->> 'subscriptionId'));
  update subscriptions set granted_period_end = v_end where stripe_subscription_id = e ->> 'subscriptionId';
  update users set tier = v_price.key where id = p_user and tier <> v_price.key;
end $$;

-- {sessionId, pack, priceId, quantity}: the price of the sale if named, else the one on sale.
create or replace function rowloom.effect_grant_pack(p_user uuid, e jsonb, p_event text)
returns void language plpgsql as $$
declare v_price stripe_prices%rowtype;
begin
  select * into v_price from stripe_prices
    where kind = 'pack' and key = e ->> 'pack' and (price_id = e ->> 'priceId' or active)
    order by (price_id = e ->> 'priceId') desc nulls last limit 1;
  if not found then
    raise exception using errcode = 'RL404', message = 'unknown_price',
      detail = format('Pack %s is not in the catalogue; run stripe:setup or add it to stripe_prices.', e ->> 'pack');
  end if;
  perform rowloom.ledger_post(p_user, 'ADD', v_price.credits * (e ->> 'quantity')::integer, 'pack',
    'pack:' || (e ->> 'sessionId'), 'stripe_checkout_session', e ->> 'sessionId',
    p_lot_kind => 'purchased',
    p_details => jsonb_build_object('eventId', p_event, 'pack', v_price.key, 'quantity', (e ->> 'quantity')::integer));
end $$;

-- {subscriptionId, customerId, status, priceId, quantity, periodStart, periodEnd, cancelAt, trialEnd,
--  endedAt, eventAt, rank}: the last writer by Stripe's time wins; an ended subscription stays ended.
create or replace function rowloom.effect_subscription(p_user uuid, e jsonb) returns void
language plpgsql as $$
declare
  v_price stripe_prices%rowtype := rowloom.price_of(e ->> 'priceId');
  v_id text := e ->> 'subscriptionId';
begin
  insert into subscriptions (stripe_subscription_id, user_id, status, stripe_event_rank)
    values (v_id, p_user, e ->> 'status', -1) on conflict do nothing;
  update subscriptions s set
    stripe_customer_id = e ->> 'customerId',
    status = e ->> 'status',
    plan = v_price.key,
    price_id = v_price.price_id,
    quantity = (e ->> 'quantity')::integer,
    interval = v_price.interval,
    current_period_start = to_timestamp((e ->> 'periodStart')::bigint),
    current_period_end = to_timestamp((e ->> 'periodEnd')::bigint),
    cancel_at = to_timestamp((e ->> 'cancelAt')::bigint),
    trial_end = to_timestamp((e ->> 'trialEnd')::bigint),
    ended_at = to_timestamp((e ->> 'endedAt')::bigint),
    stripe_event_at = to_timestamp((e ->> 'eventAt')::bigint),
    stripe_event_rank = (e ->> 'rank')::integer
    where s.stripe_subscription_id = v_id
      and (s.stripe_event_at is null
        or (to_timestamp((e ->> 'eventAt')::bigint), (e ->> 'rank')::integer) >= (s.stripe_event_at, s.stripe_event_rank))
      and (s.ended_at is null or e ->> 'endedAt' is not null);
  if found and e ->> 'status' in ('canceled', 'incomplete_expired') then
    update users set tier = 'free', unlimited = false
      where id = p_user and not exists (
        select 1 from subscriptions o where o.user_id = p_user and o.status in ('active', 'trialing', 'past_due'));
  end if;
end $$;
