-- The inbox: stores the event and applies what was decided, in this one transaction.
--
-- p_event    {id, type, created (unix s), apiVersion, payload}
-- p_decision {skip: reason} | {fail: {code, detail}} | {identity: null | {…}, effects: [{effect, …}]}
-- p_options  {creditRenewal, force}: force does without what an event waits for
-- → {status: completed | skipped | failed | duplicate, code, hint, userId, eventsDue}
--
-- A cause that can go away leaves the event stored as failed, with nothing granted and a time to try
-- again; a fault of the database itself is raised, so that the sender comes again.
create function rowloom.stripe_event_apply(p_event jsonb, p_decision jsonb, p_options jsonb)
returns jsonb language plpgsql as $$
declare
  v_id text := p_event ->> 'id';
  v_status text;
  v_user uuid;
  v_code text;
  v_detail text;
  v_hint text;
  v_state text;
  v_attempts integer := 0;
  v_waiting text[];
begin
  insert into stripe_events (event_id, type, status, payload, api_version, stripe_created_at)
    values (v_id, p_event ->> 'type', 'pending', p_event -> 'payload', p_event ->> 'apiVersion',
      to_timestamp((p_event ->> 'created')::bigint))
    on conflict (event_id) do nothing;
  if not found then
    select status, attempts into v_status, v_attempts from stripe_events where event_id = v_id for update;
    if v_status in ('completed', 'skipped') then
      return jsonb_build_object('status', 'duplicate');
    end if;
  end if;

  if p_decision ? 'skip' then
    v_status := 'skipped';
  elsif p_decision ? 'fail' then
    v_status := 'failed';
    v_code := p_decision -> 'fail' ->> 'code';
    v_detail := p_decision -> 'fail' ->> 'detail';
  else
    for v_try in 1..2 loop
      begin
        -- What never comes is not waited for longer than five attempts.
        v_user := rowloom.effects_apply(v_id, p_decision,
          p_options || case when v_attempts >= 5 then '{"force":true}'::jsonb else '{}' end);
        v_status := 'completed';
        v_code := null;
        v_detail := null;
      exception when others then
        get stacked diagnostics v_state = returned_sqlstate, v_code = message_text,
          v_detail = pg_exception_detail, v_hint = pg_exception_hint;
        if left(v_state, 2) in ('08', '25', '40', '53', '55', '57', '58', 'XX') then
          raise;
        end if;
        v_status := 'failed';
        if left(v_state, 2) <> 'RL' then
          v_detail := v_state || ': ' || v_code;
          v_code := 'not_applicable';
        end if;
      end;
      v_waiting := case when v_status = 'failed' then rowloom.event_waits_for(p_decision, v_code, v_hint) end;
      exit when v_waiting is null or v_try = 2;
      -- It may have come this moment, by somebody who could not see that we wait for it.
      perform rowloom.lock_waiting(true);
    end loop;
  end if;

  update stripe_events set
    status = v_status,
    attempts = attempts + 1,
    error_code = v_code,
    error = v_detail,
    waiting_for = v_waiting,
    user_id = v_user,
    processed_at = case when v_status <> 'failed' then clock_timestamp() end,
    next_attempt_at = case when v_status = 'failed'
      then clock_timestamp() + least(interval '6 hours', interval '1 minute' * power(2, least(attempts, 12))) end
    where event_id = v_id;
  return jsonb_build_object('status', v_status, 'code', v_code, 'hint', v_hint, 'userId', v_user,
    'eventsDue', v_status = 'completed' and exists (
      select 1 from stripe_events where next_attempt_at is not null and next_attempt_at <= clock_timestamp()));
end $$;

-- Applies the effects of one event, the user's row locked; gives the user.
create function rowloom.effects_apply(p_event text, p_decision jsonb, p_options jsonb) returns uuid
language plpgsql as $$
declare
  v_identity jsonb := p_decision -> 'identity';
  v_user uuid;
  e jsonb;
begin
  if jsonb_typeof(v_identity) = 'object' then
    v_user := rowloom.user_resolve(v_identity);
    perform 1 from users where id = v_user for no key update;
    update users set stripe_customer_id = v_identity ->> 'customerId'
      where id = v_user and stripe_customer_id is null
        and not exists (select 1 from users o where o.stripe_customer_id = v_identity ->> 'customerId');
    if found and v_identity ->> 'customerId' is not null then
      perform rowloom.events_wake(array[v_identity ->> 'customerId']);
    end if;
  end if;
  for e in select jsonb_array_elements(p_decision -> 'effects') loop
    case e ->> 'effect'
      when 'grant_plan' then perform rowloom.effect_grant_plan(v_user, e, p_event, p_options);
      when 'grant_pack' then perform rowloom.effect_grant_pack(v_user, e, p_event);
      when 'reversal' then perform rowloom.effect_reversal(e, p_event, p_options);
      when 'link_payment' then perform rowloom.effect_link_payment(e);
      when 'subscription' then perform rowloom.effect_subscription(v_user, e, p_options);
      when 'customer_deleted' then perform rowloom.effect_customer_deleted(e);
      when 'price' then perform rowloom.effect_price(e);
      when 'price_deleted' then perform rowloom.effect_price_deleted(e);
      when 'product' then perform rowloom.effect_product(e);
      when 'link_customer' then null; -- done above for every event
    end case;
  end loop;
  return v_user;
end $$;

-- What an event that failed waits for: whoever brings it makes the event due.
create function rowloom.event_waits_for(p_decision jsonb, p_code text, p_hint text) returns text[]
language sql immutable as $$
  select case
    when p_code in ('unknown_user', 'ambiguous_user', 'unknown_payment') then
      array(select jsonb_array_elements_text(coalesce(p_decision -> 'identity' -> 'userIds', '[]')))
        || array(select jsonb_array_elements_text(coalesce(p_decision -> 'identity' -> 'refs', '[]')))
        || array_remove(array[lower(p_decision -> 'identity' ->> 'email'), p_decision -> 'identity' ->> 'customerId'], null)
    when p_code = 'unknown_price' then
      array(select distinct w from jsonb_array_elements(p_decision -> 'effects') e,
        lateral (values (e ->> 'priceId'), ('pack:' || (e ->> 'pack'))) v (w) where w is not null)
    when nullif(p_hint, '') is not null then array[p_hint] end
$$;

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
    returning s.payload
$$;
