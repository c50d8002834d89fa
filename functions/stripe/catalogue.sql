-- The catalogue as decisions are made with it. → {version, prices: [{…}]}
create function rowloom.catalogue_read() returns jsonb
language sql stable as $$
  select jsonb_build_object('version', v.version, 'prices', (
      select coalesce(jsonb_agg(jsonb_build_object('priceId', p.price_id, 'productId', p.product_id, 'kind', p.kind,
          'key', p.key, 'credits', p.credits, 'trialCredits', p.trial_credits, 'interval', p.interval,
          'grantsMonthly', p.grants_monthly, 'amountCents', p.amount_cents, 'currency', p.currency,
          'onSale', s.price_id is not null) order by p.price_id), '[]')
        from stripe_prices p left join prices_on_sale s using (price_id)))
    from catalogue_version v
$$;

-- A price as of a moment: what is newer holds, of one second what was read last, else the greater row.
-- Null for `atUs`: nothing comes after it.
create function rowloom.price_put(e jsonb) returns void
language sql as $$
  insert into stripe_prices as p (price_id, product_id, kind, key, name, credits, trial_credits, interval,
      grants_monthly, amount_cents, currency, active, listed, stripe_event_at, stripe_created_at)
    values (e ->> 'priceId', e ->> 'productId', e ->> 'kind', e ->> 'key', e ->> 'name',
      (e ->> 'credits')::bigint, (e ->> 'trialCredits')::bigint, e ->> 'interval', (e ->> 'grantsMonthly')::boolean,
      (e ->> 'amountCents')::bigint, e ->> 'currency', (e ->> 'active')::boolean, (e ->> 'listed')::boolean,
      coalesce(timestamptz 'epoch' + (e ->> 'atUs')::bigint * interval '1 microsecond', 'infinity'),
      to_timestamp((e ->> 'createdAt')::bigint))
    on conflict (price_id) do update set product_id = excluded.product_id, kind = excluded.kind, key = excluded.key,
      name = excluded.name, credits = excluded.credits, trial_credits = excluded.trial_credits,
      interval = excluded.interval, grants_monthly = excluded.grants_monthly, amount_cents = excluded.amount_cents,
      currency = excluded.currency, active = excluded.active, listed = excluded.listed,
      stripe_event_at = excluded.stripe_event_at, stripe_created_at = excluded.stripe_created_at
      where p.stripe_event_at is null or p.stripe_event_at < excluded.stripe_event_at
        or (p.stripe_event_at = excluded.stripe_event_at and ((e ->> 'isRead')::boolean
          or (excluded.kind, excluded.key, excluded.name, excluded.credits, excluded.trial_credits,
              excluded.grants_monthly, excluded.active, excluded.listed)::text collate "C"
            > (p.kind, p.key, p.name, p.credits, p.trial_credits, p.grants_monthly, p.active, p.listed)::text))
$$;

-- The name of a product, by the same order.
create function rowloom.product_put(e jsonb) returns void
language sql as $$
  insert into stripe_products as p (product_id, name, stripe_event_at)
    values (e ->> 'productId', e ->> 'name', timestamptz 'epoch' + (e ->> 'atUs')::bigint * interval '1 microsecond')
    on conflict (product_id) do update set name = excluded.name, stripe_event_at = excluded.stripe_event_at
      where p.stripe_event_at < excluded.stripe_event_at
        or (p.stripe_event_at = excluded.stripe_event_at and ((e ->> 'isRead')::boolean or excluded.name > p.name collate "C"))
$$;

-- Whether what is told of prices was decided by what they are known as.
create function rowloom.catalogue_is_as_known(p_changes jsonb) returns boolean
language sql stable as $$
  select not exists (
    select 1 from jsonb_array_elements(p_changes) e left join stripe_prices p on p.price_id = e ->> 'priceId'
      where e ->> 'change' = 'price' and p.kind || ' ' || p.key is distinct from e ->> 'knownAs')
$$;

-- Applies changes of the catalogue, of product names and of customers; gives what waited for them.
create function rowloom.catalogue_apply(p_changes jsonb) returns text[]
language plpgsql as $$
declare
  e jsonb;
  v_refs text[] := '{}';
begin
  for e in select jsonb_array_elements(p_changes) loop
    case e ->> 'change'
      when 'price' then
        perform rowloom.price_put(e);
        v_refs := v_refs || array[e ->> 'priceId', (e ->> 'kind') || ':' || (e ->> 'key')];
      when 'price_deleted' then
        update stripe_prices set active = false, stripe_event_at = 'infinity' where price_id = e ->> 'priceId';
      when 'product' then
        perform rowloom.product_put(e);
      when 'customer_deleted' then
        -- What it paid for stays whose it was; the next purchase makes a new one.
        -- That it was the account's own is a fact, whichever is heard first.
        perform rowloom.customer_put(e ->> 'customerId', u.id, false) from users u
          where u.id = rowloom.user_find(e ->> 'userId');
        update stripe_customers set deleted_at = coalesce(deleted_at, clock_timestamp())
          where customer_id = e ->> 'customerId';
        -- Another of its own takes its place: one that pays for something, if there is one.
        update users u set stripe_customer_id = (
            select c.customer_id from stripe_customers c
              where c.user_id = u.id and not c.is_chosen and c.deleted_at is null
              order by exists (select 1 from subscriptions s where s.stripe_customer_id = c.customer_id
                and s.status not in ('canceled', 'incomplete_expired')) desc, c.customer_id limit 1)
          where u.stripe_customer_id = e ->> 'customerId';
        v_refs := v_refs || (e ->> 'customerId');
    end case;
  end loop;
  return v_refs;
end $$;
