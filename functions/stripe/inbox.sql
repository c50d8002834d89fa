-- The inbox: each event of Stripe's is a row, once, with its final status.

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
