-- The inbox: stores the event and applies what was decided, in this one transaction.
--
-- p_event    {id, type, created (unix s), apiVersion, payload}
-- p_decision {skip: reason} | {fail: {code, detail}} | {identity, effects: [{effect, …}]}
-- p_options  {creditRenewal}
-- → {status: completed | skipped | failed | duplicate, code, userId}
--
-- A cause that an operator can remove leaves the event stored as failed, with nothing granted and a
-- time to try again; a fault of the database itself is raised, so that the sender comes again.
create or replace function rowloom.stripe_event_apply(p_event jsonb, p_decision jsonb, p_options jsonb)
returns jsonb language plpgsql as $$
declare
  v_id text := p_event ->> 'id';
  v_status text;
  v_user uuid;
  v_code text;
  v_detail text;
  v_state text;
  e jsonb;
begin
  insert into stripe_events (event_id, type, status, payload, api_version, stripe_created_at)
    values (v_id, p_event ->> 'type', 'pending', p_event -> 'payload', p_event ->> 'apiVersion',
      to_timestamp((p_event ->> 'created')::bigint))
    on conflict (event_id) do nothing;
  if not found then
    select status into v_status from stripe_events where event_id = v_id for update;
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
    begin
      v_user := rowloom.user_resolve(p_decision -> 'identity');
      perform 1 from users where id = v_user for update;
      update users set stripe_customer_id = p_decision -> 'identity' ->> 'customerId'
        where id = v_user and stripe_customer_id is null
          and not exists (select 1 from users o where o.stripe_customer_id = p_decision -> 'identity' ->> 'customerId');
      for e in select jsonb_array_elements(p_decision -> 'effects') loop
        case e ->> 'effect'
          when 'grant_plan' then perform rowloom.effect_grant_plan(v_user, e, v_id, p_options);
          when 'grant_pack' then perform rowloom.effect_grant_pack(v_user, e, v_id);
          when 'subscription' then perform rowloom.effect_subscription(v_user, e);
          when 'link_customer' then null; -- done above for every event
        end case;
      end loop;
      v_status := 'completed';
    exception when others then
      get stacked diagnostics v_state = returned_sqlstate, v_code = message_text, v_detail = pg_exception_detail;
      if left(v_state, 2) in ('08', '25', '40', '53', '55', '57', '58', 'XX') then
        raise;
      end if;
      v_status := 'failed';
      v_user := null;
      if left(v_state, 2) <> 'RL' then
        v_detail := v_state || ': ' || v_code;
        v_code := 'not_applicable';
      end if;
    end;
  end if;

  update stripe_events set
    status = v_status,
    attempts = attempts + 1,
    error_code = v_code,
    error = v_detail,
    waiting_for = case when v_code in ('unknown_user', 'ambiguous_user') then
      array(select jsonb_array_elements_text(p_decision -> 'identity' -> 'userIds'))
        || array_remove(array[lower(p_decision -> 'identity' ->> 'email')], null) end,
    user_id = v_user,
    processed_at = case when v_status <> 'failed' then clock_timestamp() end,
    next_attempt_at = case when v_status = 'failed'
      then clock_timestamp() + least(interval '6 hours', interval '1 minute' * power(2, least(attempts, 12))) end
    where event_id = v_id;
  return jsonb_build_object('status', v_status, 'code', v_code, 'userId', v_user);
end $$;

-- Events whose time to try again has come, oldest first; each is put off before it is handed out, so
-- that two runs side by side do not take the same one.
create or replace function rowloom.stripe_events_due(p_limit integer) returns setof jsonb
language sql as $$
  update stripe_events set next_attempt_at = clock_timestamp() + interval '5 minutes'
    where event_id in (
      select event_id from stripe_events
        where next_attempt_at is not null and next_attempt_at <= clock_timestamp()
        order by next_attempt_at limit p_limit for update skip locked)
    returning payload
$$;
