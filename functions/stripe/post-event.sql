-- An event's row and what it comes to commit together.

-- What an event says besides facts: by which ids a payment is known, whose a customer is, the catalogue.
create function rowloom.stripe_event_apply(p jsonb, p_user uuid) returns void
language plpgsql as $$
declare
  v_customer text := p -> 'identity' ->> 'customerId';
  v_refs text[] := array(select jsonb_array_elements_text(p -> 'objects'));
begin
  if jsonb_array_length(p -> 'links') > 0 then
    v_refs := v_refs || array(select distinct x from jsonb_array_elements(p -> 'links') l,
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
    v_refs := v_refs || rowloom.customer_put(v_customer, p_user, coalesce((p -> 'claim' ->> 'isChosen')::boolean, false));
  end if;
  if jsonb_array_length(p -> 'notices') > 0 then perform rowloom.notices_raise(p_user, p -> 'notices'); end if;
  if jsonb_array_length(p -> 'changes') > 0 then
    v_refs := v_refs || rowloom.catalogue_apply(p -> 'changes');
  end if;
  if cardinality(v_refs) > 0 then perform rowloom.events_wake(v_refs); end if;
end $$;

-- Remembers that a customer pays for an account; gives what waited for it. What somebody chose gives way to what
-- we know, also if that is another account. That a customer is the account's own is a fact without a time: others
-- who choose the account are outside. What is only chosen is linked by the fold, if at all.
create function rowloom.customer_put(p_customer text, p_user uuid, p_is_chosen boolean) returns text[]
language plpgsql as $$
declare
  c stripe_customers%rowtype;
  v_before uuid;
  v_key text := 'customer:' || p_customer;
begin
  select * into c from stripe_customers where customer_id = p_customer;
  if found and (p_is_chosen or not c.is_chosen) then return '{}'; end if;
  v_before := c.user_id;
  -- The events of a purchase come together: the accounts before their customers, as everywhere.
  perform 1 from users where id in (p_user, v_before) order by id for no key update;
  insert into stripe_customers as s (customer_id, user_id, is_chosen) values (p_customer, p_user, p_is_chosen)
    on conflict (customer_id) do update set user_id = excluded.user_id, is_chosen = false
      where s.is_chosen and not excluded.is_chosen
    returning * into c;
  if not found then return '{}'; end if;
  if not c.is_chosen then
    update users set stripe_customer_id = nullif(stripe_customer_id, p_customer), version = version + 1,
        stale_since = clock_timestamp()
      where id = v_before and id <> p_user;
    insert into credit_facts as f (key, user_id, kind, at, position, body)
      values (v_key, p_user, 'customer', 'epoch', '0.' || v_key, jsonb_build_object('kind', 'customer',
        'key', v_key, 'atUs', 0, 'decidedAtMs', 0, 'customer', p_customer))
      on conflict (key) do update
        set user_id = excluded.user_id, at = excluded.at, position = excluded.position, body = excluded.body;
    update users set version = version + 1, stale_since = case when exists (
          select 1 from credit_facts f where f.user_id = p_user and f.body ? 'isChosen')
        then clock_timestamp() else stale_since end
      where id = p_user;
    update users u set stripe_customer_id = p_customer
      where u.id = p_user and c.deleted_at is null and (u.stripe_customer_id is null or exists (
        select 1 from stripe_customers o where o.customer_id = u.stripe_customer_id and o.is_chosen));
  end if;
  return array[p_customer];
end $$;

-- Stores an event that needs no fold: skipped, failed, or one fact that stands after all that is known.
-- p {event, verdict?: {status, code, detail, waitsFor}, catalogueVersion?: if it was decided by prices, identity,
--   fact?, step?, links, changes, notices, objects: ids of what the facts are about,
--   claim?: {userId, isChosen}: whose it is by claimOf}; p_payload as in stripe_event_put
-- → {outcome: stored, status, code, userId, jobsAwait, eventsDue} | {outcome: duplicate} | {outcome: stale_catalogue, catalogue}
--   | {outcome: refold, payment, timeline} | {outcome: unclaimed, who}, as user_resolve: nothing is written
create function rowloom.stripe_event_post(p jsonb, p_payload text default null) returns json
language plpgsql set plan_cache_mode = force_generic_plan as $$
declare
  e jsonb := p -> 'event';
  v jsonb := p -> 'verdict';
  w jsonb := p -> 'claim';
  v_status text;
  v_version bigint;
  v_waits text[];
  v_user uuid;
begin
  -- Who changes the catalogue is one after the other, and has decided by what it says of the same price.
  if jsonb_array_length(p -> 'changes') > 0 then perform 1 from catalogue_version for no key update; end if;
  select version, (select status from stripe_events where event_id = e ->> 'id')
    into v_version, v_status from catalogue_version;
  if v_status in ('completed', 'skipped', 'dismissed') then
    return '{"outcome":"duplicate"}';
  end if;
  if (case when v is null and jsonb_array_length(p -> 'changes') > 0
      then not rowloom.catalogue_is_as_known(p -> 'changes')
      else (p ->> 'catalogueVersion')::bigint <> v_version end) then
    return json_build_object('outcome', 'stale_catalogue', 'catalogue', rowloom.catalogue_read());
  end if;
  if jsonb_typeof(p -> 'identity') = 'object' then
    if w is null then
      w := rowloom.user_resolve(p -> 'identity', p -> 'fact' ->> 'key');
      if w ->> 'userId' is null or (v is null and (w ->> 'isChosen')::boolean) then
        return json_build_object('outcome', 'unclaimed', 'who', w);
      end if;
    end if;
    v_user := (w ->> 'userId')::uuid;
    if v is null and p ? 'fact'
        and rowloom.ledger_step(v_user, p -> 'fact', nullif(p -> 'step', 'null')) = 'refold' then
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
  if not rowloom.stripe_event_put(e, v_status, p_payload, v_user, v ->> 'code', v ->> 'detail', v_waits) then
    return '{"outcome":"duplicate"}';
  end if;
  return json_build_object('outcome', 'stored', 'status', v_status, 'code', v ->> 'code', 'userId', v_user, 'jobsAwait', p ? 'fact' and rowloom.jobs_await(v_user),
    'eventsDue', v is null and exists (
      select 1 from stripe_events where next_attempt_at <= clock_timestamp()));
end $$;

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
  if p ? 'event' then perform rowloom.stripe_event_put(p -> 'event', 'completed', p_payload, p_user); end if;
  return json_build_object('outcome', 'stored', 'status', 'completed', 'userId', p_user,
    'jobsAwait', rowloom.jobs_await(p_user),
    'eventsDue', exists (select 1 from stripe_events where next_attempt_at <= clock_timestamp()));
end $$;
