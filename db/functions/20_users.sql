-- The user by our id or the external one, ours first; null if there is none.
create or replace function rowloom.user_find(p_ref text) returns uuid
language plpgsql stable as $$
declare v_user uuid;
begin
  if p_ref ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then
    select id into v_user from users where id = p_ref::uuid;
  end if;
  if v_user is null then
    select id into v_user from users where external_id = p_ref;
  end if;
  return v_user;
end $$;

-- Finds the user of an event, in the contract's order: ids (own or external), Stripe customer,
-- e-mail. Only a verified e-mail is anybody's, and one that several accounts share is nobody's.
-- p_identity: {userIds: text[], customerId: text|null, email: text|null, refs?: text[]}
-- `refs` are ids of a payment: the user is the one who got what it bought, and nobody else.
create or replace function rowloom.user_resolve(p_identity jsonb) returns uuid
language plpgsql stable as $$
declare
  v_candidate text;
  v_user uuid;
  v_matches uuid[];
begin
  if p_identity -> 'refs' is not null then
    select g.user_id into v_user from stripe_payment_refs r join stripe_grants g using (business_key)
      where r.ref in (select jsonb_array_elements_text(p_identity -> 'refs')) limit 1;
    if v_user is null then
      raise exception using errcode = 'RL404', message = 'unknown_payment',
        detail = 'No credits were granted for this payment (yet).';
    end if;
    return v_user;
  end if;
  for v_candidate in select jsonb_array_elements_text(p_identity -> 'userIds') loop
    v_user := rowloom.user_find(v_candidate);
    if v_user is not null then return v_user; end if;
  end loop;

  select id into v_user from users where stripe_customer_id = p_identity ->> 'customerId';
  if v_user is not null then return v_user; end if;

  select array_agg(id) into v_matches
    from users where lower(email) = lower(p_identity ->> 'email') and email_verified;
  if cardinality(v_matches) = 1 then return v_matches[1]; end if;
  if cardinality(v_matches) > 1 then
    raise exception using errcode = 'RL409', message = 'ambiguous_user',
      detail = 'Several accounts have this e-mail address; set metadata.user_id.';
  end if;
  raise exception using errcode = 'RL404', message = 'unknown_user',
    detail = 'No account has this user id, Stripe customer or e-mail address.';
end $$;

-- The user of a token: found, claimed by a verified e-mail, or made; sign-up credits once.
-- p: {externalId, email, emailVerified, signupCredits} → {user, subscription, eventsDue: how many
-- Stripe events waited for just this person}
create or replace function rowloom.user_ensure(p jsonb) returns jsonb
language plpgsql as $$
declare
  u users%rowtype;
  v_email text := nullif(p ->> 'email', '');
  v_verified boolean := coalesce((p ->> 'emailVerified')::boolean, false) and v_email is not null;
  v_created boolean := false;
  v_changed boolean := false;
  v_waiting integer := 0;
begin
  select * into u from users where external_id = p ->> 'externalId';
  if not found then
    if v_verified then
      -- An account made before its owner signed up: take it over, the oldest if there are several.
      update users set external_id = p ->> 'externalId', email_verified = true
        where id = (select id from users where external_id is null and lower(email) = lower(v_email)
                    order by created_at, id limit 1 for update)
          and external_id is null
        returning * into u;
    end if;
    if u.id is null then
      insert into users (external_id, email, email_verified)
        values (p ->> 'externalId', v_email, v_verified)
        on conflict (external_id) do nothing returning * into u;
    end if;
    v_created := u.id is not null;
    if not v_created then
      select * into u from users where external_id = p ->> 'externalId';
    end if;
    perform rowloom.ledger_post(u.id, 'ADD', (p ->> 'signupCredits')::integer, 'signup',
      'signup:' || u.id, 'signup', u.id::text, p_lot_kind => 'bonus');
  elsif v_email is not null and (u.email is distinct from v_email or u.email_verified <> v_verified) then
    update users set email = v_email, email_verified = v_verified where id = u.id;
    v_changed := true;
  end if;
  if v_created or v_changed then
    -- Events that waited for this person are due at once.
    v_waiting := rowloom.events_wake(
      array[u.id::text, p ->> 'externalId', case when v_verified then lower(v_email) end]);
  end if;
  return rowloom.user_read(u.id) || jsonb_build_object('eventsDue', v_waiting);
end $$;

-- {user, subscription}: rows as they stand; the subscription is the newest that has not ended.
create or replace function rowloom.user_read(p_user uuid) returns jsonb
language sql stable as $$
  select jsonb_build_object('user', to_jsonb(u), 'subscription', (
      select to_jsonb(s) from subscriptions s
        where s.user_id = u.id and s.status not in ('canceled', 'incomplete_expired')
        order by s.current_period_end desc nulls last, s.stripe_subscription_id limit 1))
    from users u where u.id = p_user
$$;
