-- The user of a token: found, claimed by a verified e-mail, or made. A new one is stale: the sign-up
-- credits are a fact, and come with the fold.
-- p {externalId, email, emailVerified, signupCredits} → as user_read, and eventsDue: how many Stripe events
-- waited for just this person
create function rowloom.user_ensure(p jsonb) returns jsonb
language plpgsql as $$
declare
  u users%rowtype;
  v_email text := nullif(p ->> 'email', '');
  v_verified boolean := coalesce((p ->> 'emailVerified')::boolean, false) and v_email is not null;
  v_isNew boolean := false;
  v_waiting integer := 0;
  v_before text;
begin
  select * into u from users where external_id = p ->> 'externalId';
  if not found then
    if v_verified then
      -- An account made before its owner signed up: take it over, the oldest if there are several.
      update users set external_id = p ->> 'externalId', email_verified = true
        where id = (select id from users where external_id is null and lower(email collate "C") = lower(v_email collate "C")
                    order by created_at, id limit 1 for update)
          and external_id is null
        returning * into u;
    end if;
    if u.id is null then
      insert into users (external_id, email, email_verified)
        values (p ->> 'externalId', v_email, v_verified)
        on conflict (external_id) do nothing returning * into u;
    end if;
    v_isNew := u.id is not null;
    if not v_isNew then
      select * into u from users where external_id = p ->> 'externalId';
    end if;
  elsif v_email is not null and (u.email is distinct from v_email or u.email_verified <> v_verified) then
    -- Whoever else has the address that was given up may be its only one by now.
    v_before := case when u.email_verified then lower(u.email collate "C") end;
    update users set email = v_email, email_verified = v_verified where id = u.id;
    v_isNew := true;
  end if;
  if u.signed_up_at is null then
    perform rowloom.user_sign_up(u.id, (p ->> 'signupCredits')::bigint);
  end if;
  if v_isNew then
    -- Events that waited for this person are due at once.
    v_waiting := rowloom.events_wake(
      array[u.id::text, p ->> 'externalId', case when v_verified then lower(v_email collate "C") end, v_before]);
  end if;
  return rowloom.user_read(u.id) || jsonb_build_object('eventsDue', v_waiting);
end $$;

-- Sign-up stands first in the timeline, whenever it happened: a user may have paid before.
create function rowloom.user_sign_up(p_user uuid, p_credits bigint) returns void
language plpgsql as $$
declare v_us bigint := (extract(epoch from clock_timestamp()) * 1000000)::bigint;
begin
  perform 1 from users where id = p_user for no key update;
  insert into credit_facts (key, user_id, kind, at, position, body)
    values ('signup:' || p_user, p_user, 'signup', to_timestamp(v_us / 1000000.0), '0', jsonb_build_object(
      'kind', 'signup', 'key', 'signup:' || p_user, 'atUs', v_us, 'decidedAtMs', v_us / 1000, 'credits', p_credits))
    on conflict do nothing;
  if found then
    update users set signed_up_at = clock_timestamp(), stale_since = clock_timestamp(), version = version + 1,
        newest_position = coalesce(newest_position, '0')
      where id = p_user;
  end if;
end $$;

-- → {user, subscriptions: all that have not ended, the newest period first}
create function rowloom.user_read(p_user uuid) returns jsonb
language sql stable as $$
  select jsonb_build_object('user', to_jsonb(u),
    'subscriptions', coalesce((
      select jsonb_agg(to_jsonb(s) order by s.current_period_end desc nulls last, s.stripe_subscription_id)
        from subscriptions s where s.user_id = u.id and s.status not in ('canceled', 'incomplete_expired')), '[]'))
    from users u where u.id = p_user
$$;
