-- The inbox: each event of Stripe's is a row, once, with its final status. `pending` is one that is being tried again
-- at this moment; if its run is killed, it is due when the lease ends.

-- Makes due what waited for one of these; gives how many. What is being tried at this very moment, perhaps by what was
-- known before, is due again if it fails. A plan of its own for each call would cost more than the call.
create function rowloom.events_wake(p_refs text[]) returns integer
language plpgsql set plan_cache_mode = force_generic_plan as $$
declare v_count integer;
begin
  update stripe_events set
      next_attempt_at = case status when 'failed' then clock_timestamp() else next_attempt_at end,
      waiting_for = case status when 'failed' then waiting_for else '{}' end
    where event_id in (select event_id from stripe_events
      where waiting_for && p_refs and status in ('failed', 'pending') for update skip locked);
  get diagnostics v_count = row_count;
  return v_count;
end $$;

-- When an event that has failed so often is tried again by the clock: after 1, 2, 4 … minutes up to 6 hours, for
-- 3 days from its receipt, or while Stripe or we ourselves are in the way (p_passing). Then null: what it waits for
-- wakes it, an operator, or the reconciliation.
create function rowloom.event_next_attempt(p_attempts integer, p_received timestamptz, p_passing boolean)
returns timestamptz language sql as $$
  select t.at from (select clock_timestamp()
      + least(interval '6 hours', interval '1 minute' * power(2, least(p_attempts - 1, 12))) as at) t
    where p_passing or t.at < p_received + interval '3 days'
$$;

-- Stores an event with its status; false: it has come to an end already. One that failed waits for something, at
-- least for what it is about. p_payload null: it is there already.
create function rowloom.stripe_event_put(
  e jsonb, p_status text, p_payload text default null, p_user uuid default null, p_code text default null, p_detail text default null,
  p_waits text[] default null
) returns boolean language plpgsql as $$
declare
  v_failed boolean := p_status = 'failed';
  v_passing boolean := coalesce(p_code in ('stripe_unavailable', 'busy'), false);
  v_waits text[] := case when v_failed then coalesce(nullif(p_waits, '{}'), array[coalesce(e ->> 'objectId', e ->> 'id')]) end;
begin
  insert into stripe_events (event_id, type, status, attempts, error_code, error, payload, object_id, api_version, user_id,
      stripe_created_at, processed_at, next_attempt_at, waiting_for)
    values (e ->> 'id', e ->> 'type', p_status, 1, p_code, p_detail, p_payload::json, e ->> 'objectId', e ->> 'apiVersion',
      p_user, to_timestamp((e ->> 'created')::bigint), case when not v_failed then clock_timestamp() end,
      case when v_failed then clock_timestamp() + interval '1 minute' end, v_waits)
    on conflict (event_id) do nothing;
  if found then return true; end if;
  update stripe_events s set status = p_status, attempts = s.attempts + (s.status <> 'pending')::integer, error_code = p_code, error = p_detail,
      user_id = coalesce(p_user, s.user_id), object_id = coalesce(s.object_id, e ->> 'objectId'),
      processed_at = case when not v_failed then clock_timestamp() end, waiting_for = v_waits,
      next_attempt_at = case when not v_failed then null
        when s.status = 'pending' and s.waiting_for = '{}' then clock_timestamp()
        else rowloom.event_next_attempt(s.attempts + (s.status <> 'pending')::integer, s.received_at, v_passing) end,
      payload = case when v_failed or not rowloom.payload_is_due(s.received_at) then s.payload end
    where s.event_id = e ->> 'id' and s.status in ('pending', 'failed');
  return found;
end $$;

-- Hands out those of these events that are open and that nobody is trying, each to one run, in Stripe's order; due
-- ones only, if asked. A run that is killed loses none: they are due again when the lease ends.
-- → {eventId, type, created, apiVersion, payload: text}
create function rowloom.stripe_events_lease(p_ids text[], p_due boolean) returns setof json
language sql as $$
  with open as (
    select event_id from stripe_events
      where event_id = any(p_ids) and (not p_due or next_attempt_at <= clock_timestamp())
        and (status = 'failed' or status = 'pending' and coalesce(next_attempt_at <= clock_timestamp(), true))
      order by event_id for no key update skip locked
  ), leased as (
    update stripe_events s set status = 'pending', attempts = attempts + 1,
        next_attempt_at = clock_timestamp() + interval '5 minutes'
      from open where s.event_id = open.event_id returning s.*
  )
  select json_build_object('eventId', event_id, 'type', type,
      'created', extract(epoch from stripe_created_at)::bigint, 'apiVersion', api_version, 'payload', payload::text)
    from leased order by stripe_created_at, event_id
$$;

-- Gives leased events back: not tried at all, and due in a minute; or tried while Stripe did not answer, which
-- leaves what they failed of.
create function rowloom.stripe_events_return(p_ids text[], p_tried boolean) returns void
language sql as $$
  update stripe_events set status = 'failed', attempts = attempts - (not p_tried)::integer,
      error_code = coalesce(error_code, 'stripe_unavailable'), error = coalesce(error, 'Stripe did not answer.'),
      waiting_for = coalesce(nullif(array_remove(waiting_for, 'stripe'), '{}'), array[coalesce(object_id, event_id)])
        || case when p_tried then array['stripe'] else '{}' end,
      next_attempt_at = rowloom.event_next_attempt(case when p_tried then attempts else 1 end, received_at, true)
    where event_id = any(p_ids) and status = 'pending'
$$;

-- Whether payloads of this receipt are removed already: one that comes to an end later goes at once.
create function rowloom.payload_is_due(p_received timestamptz) returns boolean
language sql stable as $$
  select exists (select 1 from watermarks where name = 'webhook_payloads' and at >= p_received)
$$;

-- Removes the payloads of events that came to an end, p_days after receipt. Each run announces about p_limit events
-- beyond those of the run before, whose payloads it removes: what ends meanwhile has seen the announcement and removes
-- its own, so that none is left behind and no open event is locked. → how many were removed
create function rowloom.payloads_purge(p_days integer, p_limit integer) returns integer
language plpgsql as $$
declare
  v_done timestamptz;
  v_told timestamptz;
  v_next timestamptz;
  v_count integer;
begin
  insert into watermarks (name, at)
    values ('webhook_payloads', '-infinity'), ('webhook_payloads_removed', '-infinity') on conflict (name) do nothing;
  select at into v_told from watermarks where name = 'webhook_payloads' for update skip locked;
  if not found then return 0; end if;
  select at into v_done from watermarks where name = 'webhook_payloads_removed';
  update stripe_events set payload = null
    where received_at > v_done and received_at <= v_told and status in ('completed', 'skipped', 'dismissed')
      and payload is not null;
  get diagnostics v_count = row_count;
  select max(received_at) into v_next from (
    select received_at from stripe_events
      where received_at > v_told and received_at < clock_timestamp() - p_days * interval '1 day'
      order by received_at limit p_limit) batch;
  update watermarks set at = case name when 'webhook_payloads' then coalesce(v_next, v_told) else v_told end
    where name in ('webhook_payloads', 'webhook_payloads_removed') and (v_next is not null or v_done < v_told);
  return v_count;
end $$;
