-- The user of a token: found, claimed by a verified e-mail, or made; sign-up credits once.
-- p: {externalId, email, emailVerified, signupCredits} → {user, subscription, eventsDue: how many
-- Stripe events waited for just this person}
create function rowloom.user_ensure(p jsonb) returns jsonb
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
create function rowloom.user_read(p_user uuid) returns jsonb
language sql stable as $$
  select jsonb_build_object('user', to_jsonb(u), 'subscription', (
      select to_jsonb(s) from subscriptions s
        where s.user_id = u.id and s.status not in ('canceled', 'incomplete_expired')
        order by s.current_period_end desc nulls last, s.stripe_subscription_id limit 1))
    from users u where u.id = p_user
$$;
