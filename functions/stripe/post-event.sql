-- The inbox: an event's row and what it comes to commit together, the row once, with its final status.

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

-- Makes due what waited for one of these; gives how many. What fails at this very moment is tried again
-- within a minute anyway.
create function rowloom.events_wake(p_refs text[]) returns integer
language plpgsql as $$
declare v_count integer;
begin
  update stripe_events set next_attempt_at = clock_timestamp()
    where event_id in (select event_id from stripe_events
      where waiting_for && p_refs and status = 'failed' for update skip locked);
  get diagnostics v_count = row_count;
  return v_count;
end $$;

-- Stores an event with its status; false: it has been applied already. One that failed is tried again after
-- a minute, then after two, four, …
create function rowloom.stripe_event_put(
  e jsonb, p_payload text, p_status text, p_user uuid default null, p_code text default null, p_detail text default null,
  p_waits text[] default null
) returns boolean language plpgsql as $$
begin
  insert into stripe_events as s (event_id, type, status, attempts, error_code, error, payload, api_version, user_id,
      stripe_created_at, processed_at, next_attempt_at, waiting_for)
    values (e ->> 'id', e ->> 'type', p_status, 1, p_code, p_detail, p_payload::json, e ->> 'apiVersion', p_user,
      to_timestamp((e ->> 'created')::bigint), case when p_status <> 'failed' then clock_timestamp() end,
      case when p_status = 'failed' then clock_timestamp() + interval '1 minute' end, p_waits)
    on conflict (event_id) do update set status = excluded.status, attempts = s.attempts + 1,
      error_code = excluded.error_code, error = excluded.error, user_id = coalesce(excluded.user_id, s.user_id),
      processed_at = excluded.processed_at, waiting_for = excluded.waiting_for,
      next_attempt_at = case when p_status = 'failed' then clock_timestamp()
        + least(interval '6 hours', interval '1 minute' * power(2, least(s.attempts, 12))) end
      where s.status in ('pending', 'failed');
  return found;
end $$;

-- What an event says besides facts: by which ids a payment is known, whose a customer is, the catalogue.
create function rowloom.stripe_event_apply(p jsonb, p_user uuid) returns void
language plpgsql as $$
declare
  v_customer text := p -> 'identity' ->> 'customerId';
  v_refs text[] := '{}';
begin
  if jsonb_array_length(p -> 'links') > 0 then
    v_refs := array(select distinct x from jsonb_array_elements(p -> 'links') l,
      lateral (values (l ->> 'ref'), (l ->> 'payment')) v (x));
    insert into payment_refs as r (ref, payment)
      select distinct on (l ->> 'ref') l ->> 'ref', l ->> 'payment' from jsonb_array_elements(p -> 'links') l
        order by l ->> 'ref'
      -- A session with an invoice of its own is the payment: nothing is ever told of that invoice.
      on conflict (ref) do update set payment = excluded.payment
        where r.payment <> excluded.payment
          and not exists (select 1 from credit_facts f where f.key = r.payment);
  end if;
  if p_user is not null and v_customer is not null then
    update users set stripe_customer_id = v_customer
      where id = p_user and stripe_customer_id is null
        and not exists (select 1 from users o where o.stripe_customer_id = v_customer);
    if found then v_refs := v_refs || v_customer; end if;
  end if;
  if jsonb_array_length(p -> 'changes') > 0 then
    v_refs := v_refs || rowloom.catalogue_apply(p -> 'changes');
  end if;
  if cardinality(v_refs) > 0 then perform rowloom.events_wake(v_refs); end if;
end $$;

-- Stores an event that needs no fold: skipped, failed, or one fact that stands after all that is known.
-- p {event, verdict?: {status, code, detail, waitsFor}, catalogueVersion, identity, fact?, step?, links, changes}
-- → {outcome: stored, status, code, userId, jobsAwait, eventsDue} | {outcome: duplicate} | {outcome: stale_catalogue, catalogue}
--   | {outcome: refold, payment, timeline}: nothing is written, see ledger_read
create function rowloom.stripe_event_post(p jsonb, p_payload text) returns json
language plpgsql set plan_cache_mode = force_generic_plan as $$
declare
  e jsonb := p -> 'event';
  v jsonb := p -> 'verdict';
  w jsonb;
  v_status text;
  v_version bigint;
  v_waits text[];
  v_user uuid;
begin
  select version, (select status from stripe_events where event_id = e ->> 'id')
    into v_version, v_status from catalogue_version;
  if v_status in ('completed', 'skipped', 'dismissed') then
    return '{"outcome":"duplicate"}';
  end if;
  if (p ->> 'catalogueVersion')::bigint is distinct from v_version then
    return json_build_object('outcome', 'stale_catalogue', 'catalogue', rowloom.catalogue_read());
  end if;
  if v is null and jsonb_typeof(p -> 'identity') = 'object' then
    w := rowloom.user_resolve(p -> 'identity', p -> 'fact' ->> 'key');
    v_user := (w ->> 'userId')::uuid;
    if v_user is null then
      v := w || '{"status":"failed"}';
    elsif p ? 'fact' and rowloom.ledger_step(v_user, p -> 'fact', nullif(p -> 'step', 'null')) = 'refold' then
      return json_build_object('outcome', 'refold', 'payment', w ->> 'payment',
        'timeline', rowloom.ledger_read(v_user));
    end if;
  end if;
  if v is null then
    perform rowloom.stripe_event_apply(p, v_user);
  elsif v ? 'waitsFor' then
    v_waits := array(select jsonb_array_elements_text(v -> 'waitsFor'));
  end if;
  v_status := coalesce(v ->> 'status', 'completed');
  if not rowloom.stripe_event_put(e, p_payload, v_status, v_user, v ->> 'code', v ->> 'detail', v_waits) then
    return '{"outcome":"duplicate"}';
  end if;
  return json_build_object('outcome', 'stored', 'status', v_status, 'code', v ->> 'code', 'userId', v_user, 'jobsAwait', p ? 'fact' and rowloom.jobs_await(v_user),
    'eventsDue', v is null and exists (
      select 1 from stripe_events where next_attempt_at <= clock_timestamp()));
end $$;

-- Whose something is, with all that a fold needs of that user. → as user_resolve, and timeline
create function rowloom.stripe_locate(p_identity jsonb, p_fact text default null) returns json
language sql stable as $$
  select case when w.who ->> 'userId' is not null then json_build_object('userId', w.who -> 'userId',
      'payment', w.who -> 'payment', 'timeline', rowloom.ledger_read((w.who ->> 'userId')::uuid))
    else w.who::json end
    from (select rowloom.user_resolve(p_identity, p_fact) as who) w
$$;

-- Stores an event together with the books that a fold came to because of it. p_books null: the books knew
-- it all; p without an event: it was read from Stripe, not sent.
-- p as in stripe_event_post, p_books as in ledger_post_fold → {outcome: stored, …} | {outcome: duplicate} | {outcome: conflict, timeline}
create function rowloom.stripe_event_post_fold(
  p jsonb, p_user uuid, p_books jsonb default null, p_payload text default null
) returns json
language plpgsql as $$
begin
  perform 1 from users where id = p_user for no key update;
  if exists (select 1 from stripe_events where event_id = p -> 'event' ->> 'id'
      and status in ('completed', 'skipped', 'dismissed')) then
    return '{"outcome":"duplicate"}';
  end if;
  if p_books is not null and rowloom.ledger_post_fold(p_books) = 'conflict' then
    return json_build_object('outcome', 'conflict', 'timeline', rowloom.ledger_read(p_user));
  end if;
  perform rowloom.stripe_event_apply(p, p_user);
  if p ? 'event' then perform rowloom.stripe_event_put(p -> 'event', p_payload, 'completed', p_user); end if;
  return json_build_object('outcome', 'stored', 'status', 'completed', 'userId', p_user,
    'jobsAwait', rowloom.jobs_await(p_user),
    'eventsDue', exists (select 1 from stripe_events where next_attempt_at <= clock_timestamp()));
end $$;

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
        update users set stripe_customer_id = null where stripe_customer_id = e ->> 'customerId';
    end case;
  end loop;
  return v_refs;
end $$;

-- Events whose time to try again has come, oldest first; each is put off before it is handed out, so
-- that two runs side by side do not take the same one.
create function rowloom.stripe_events_due(p_limit integer) returns setof jsonb
language sql as $$
  with due as (
    select event_id from stripe_events
      where next_attempt_at is not null and next_attempt_at <= clock_timestamp()
      order by next_attempt_at, stripe_created_at, event_id limit p_limit for update skip locked
  )
  update stripe_events s set next_attempt_at = clock_timestamp() + interval '5 minutes'
    from due where s.event_id = due.event_id
    returning s.payload::jsonb
$$;
