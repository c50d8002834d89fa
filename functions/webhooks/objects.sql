-- What Stripe's own objects say: subscriptions, customers, the catalogue.

-- {subscriptionId, customerId, status, priceId, quantity, periodStart, periodEnd, cancelAt, trialEnd,
--  endedAt, eventAt, rank, fetched}: the last writer by Stripe's time wins; an ended subscription stays
-- ended. Two updates of one second have no order: RL409, and the caller brings the object as it is now.
create function rowloom.effect_subscription(p_user uuid, e jsonb, p_options jsonb) returns void
language plpgsql as $$
declare
  v_price stripe_prices%rowtype := rowloom.price_of(e ->> 'priceId');
  v_id text := e ->> 'subscriptionId';
  v_at timestamptz := to_timestamp((e ->> 'eventAt')::bigint);
  v_rank integer := (e ->> 'rank')::integer;
  v_ended boolean := e ->> 'status' in ('canceled', 'incomplete_expired');
  s subscriptions%rowtype;
begin
  insert into subscriptions (stripe_subscription_id, user_id, status, stripe_event_rank)
    values (v_id, p_user, e ->> 'status', -1) on conflict do nothing;
  select * into s from subscriptions where stripe_subscription_id = v_id for update;
  if s.stripe_event_at = v_at and s.stripe_event_rank >= 1 and v_rank = 1 and s.ended_at is null
      and not coalesce((e ->> 'fetched')::boolean, false) and not coalesce((p_options ->> 'force')::boolean, false) then
    raise exception using errcode = 'RL409', message = 'order_unknown', hint = v_id,
      detail = format('Two updates of subscription %s share a second.', v_id);
  end if;
  if (s.stripe_event_at is not null and (v_at, v_rank) < (s.stripe_event_at, s.stripe_event_rank))
      or (s.ended_at is not null and not v_ended) then
    return;
  end if;
  update subscriptions set
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
    ended_at = case when v_ended then coalesce(to_timestamp((e ->> 'endedAt')::bigint), v_at) end,
    stripe_event_at = v_at,
    stripe_event_rank = v_rank
    where stripe_subscription_id = v_id;
  if v_ended then
    update users set tier = 'free', unlimited = false
      where id = p_user and not exists (
        select 1 from subscriptions o where o.user_id = p_user and o.status in ('active', 'trialing', 'past_due'));
  end if;
end $$;

-- {customerId}: a customer that is gone in Stripe is nobody's; the next purchase makes a new one.
create function rowloom.effect_customer_deleted(e jsonb) returns void language sql as $$
  update users set stripe_customer_id = null where stripe_customer_id = e ->> 'customerId'
$$;

-- {priceId, productId, kind, key, name, credits, trialCredits, interval, grantsMonthly, amountCents,
--  currency, active, eventAt, createdAt}: a price of ours as Stripe has it. A key has one price on sale: the newest.
create function rowloom.effect_price(e jsonb) returns void language plpgsql as $$
declare
  v_at timestamptz := to_timestamp((e ->> 'eventAt')::bigint);
  v_made timestamptz := to_timestamp((e ->> 'createdAt')::bigint);
  v_on_sale boolean := (e ->> 'active')::boolean and not exists (
    select 1 from stripe_prices where kind = e ->> 'kind' and key = e ->> 'key' and active
      and price_id <> e ->> 'priceId' and stripe_created_at > v_made);
begin
  if v_on_sale then
    update stripe_prices set active = false
      where kind = e ->> 'kind' and key = e ->> 'key' and active and price_id <> e ->> 'priceId';
  end if;
  insert into stripe_prices as p (price_id, product_id, kind, key, name, credits, trial_credits, interval,
      grants_monthly, amount_cents, currency, active, stripe_event_at, stripe_created_at)
    values (e ->> 'priceId', e ->> 'productId', e ->> 'kind', e ->> 'key', e ->> 'name', (e ->> 'credits')::integer,
      (e ->> 'trialCredits')::integer, e ->> 'interval', (e ->> 'grantsMonthly')::boolean,
      (e ->> 'amountCents')::integer, e ->> 'currency',
      v_on_sale, v_at, v_made)
    on conflict (price_id) do update set name = excluded.name, credits = excluded.credits,
      trial_credits = excluded.trial_credits, grants_monthly = excluded.grants_monthly,
      active = excluded.active, stripe_event_at = v_at
      where p.stripe_event_at is null or p.stripe_event_at <= v_at;
  perform rowloom.events_wake(array[e ->> 'priceId', (e ->> 'kind') || ':' || (e ->> 'key')]);
end $$;

-- {priceId}: a price that is gone is not on sale; who holds it keeps its meaning.
create function rowloom.effect_price_deleted(e jsonb) returns void language sql as $$
  update stripe_prices set active = false where price_id = e ->> 'priceId'
$$;

-- {productId, name}
create function rowloom.effect_product(e jsonb) returns void language sql as $$
  update stripe_prices set name = e ->> 'name' where product_id = e ->> 'productId' and name <> e ->> 'name'
$$;
