-- The catalogue as decisions are made with it. → {version, prices: [{…}]}
create function rowloom.catalogue_read() returns jsonb
language sql stable as $$
  select jsonb_build_object('version', v.version, 'prices', (
      select coalesce(jsonb_agg(jsonb_build_object('priceId', price_id, 'kind', kind, 'key', key, 'credits', credits,
          'trialCredits', trial_credits, 'interval', interval, 'grantsMonthly', grants_monthly,
          'amountCents', amount_cents, 'currency', currency, 'active', active) order by price_id), '[]')
        from stripe_prices))
    from catalogue_version v
$$;

-- Applies changes of the catalogue, of product names and of customers; gives what waited for them.
create function rowloom.catalogue_apply(p_changes jsonb) returns text[]
language plpgsql as $$
declare
  e jsonb;
  v_made timestamptz;
  v_on_sale boolean;
  v_refs text[] := '{}';
begin
  for e in select jsonb_array_elements(p_changes) loop
    case e ->> 'change'
      when 'price' then
        -- A key has one price on sale: the newest.
        v_made := to_timestamp((e ->> 'createdAt')::bigint);
        v_on_sale := (e ->> 'active')::boolean and not exists (
          select 1 from stripe_prices where kind = e ->> 'kind' and key = e ->> 'key' and active
            and price_id <> e ->> 'priceId' and stripe_created_at > v_made);
        if v_on_sale then
          update stripe_prices set active = false
            where kind = e ->> 'kind' and key = e ->> 'key' and active and price_id <> e ->> 'priceId';
        end if;
        insert into stripe_prices as p (price_id, product_id, kind, key, name, credits, trial_credits, interval,
            grants_monthly, amount_cents, currency, active, stripe_event_at, stripe_created_at)
          values (e ->> 'priceId', e ->> 'productId', e ->> 'kind', e ->> 'key', e ->> 'name',
            (e ->> 'credits')::bigint, (e ->> 'trialCredits')::bigint, e ->> 'interval',
            (e ->> 'grantsMonthly')::boolean, (e ->> 'amountCents')::bigint, e ->> 'currency', v_on_sale,
            to_timestamp((e ->> 'eventAt')::bigint), v_made)
          on conflict (price_id) do update set name = excluded.name, credits = excluded.credits,
            trial_credits = excluded.trial_credits, grants_monthly = excluded.grants_monthly,
            active = excluded.active, stripe_event_at = excluded.stripe_event_at
            where p.stripe_event_at is null or p.stripe_event_at <= excluded.stripe_event_at;
        v_refs := v_refs || array[e ->> 'priceId', (e ->> 'kind') || ':' || (e ->> 'key')];
      when 'price_deleted' then
        update stripe_prices set active = false where price_id = e ->> 'priceId';
      when 'product' then
        update stripe_prices set name = e ->> 'name'
          where product_id = e ->> 'productId' and name <> e ->> 'name';
      when 'customer_deleted' then
        -- What it paid for stays whose it was; the next purchase makes a new one.
        insert into stripe_customers as c (customer_id, user_id, deleted_at)
          select e ->> 'customerId', u.id, clock_timestamp() from users u
            where u.stripe_customer_id = e ->> 'customerId' or u.id = rowloom.user_find(e ->> 'userId')
            order by u.stripe_customer_id = e ->> 'customerId' desc nulls last limit 1
          on conflict (customer_id) do update set deleted_at = coalesce(c.deleted_at, excluded.deleted_at);
        update stripe_customers set deleted_at = coalesce(deleted_at, clock_timestamp())
          where customer_id = e ->> 'customerId';
        update users set stripe_customer_id = null where stripe_customer_id = e ->> 'customerId';
        v_refs := v_refs || (e ->> 'customerId');
    end case;
  end loop;
  return v_refs;
end $$;
