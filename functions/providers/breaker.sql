-- Opens a provider's breaker, or extends what is known of an open one. Whoever opens it sees to the probes.
-- → whether it was closed before
create function rowloom.provider_open(
  p_name text, p_reason text, p_detail text, p_until timestamptz default null, p_probe_seconds integer default 3
) returns boolean language plpgsql as $$
declare v_was_closed boolean;
begin
  insert into providers (name) values (p_name) on conflict do nothing;
  select opened_at is null into v_was_closed from providers where name = p_name for update;
  update providers set reason = p_reason, detail = p_detail, until = p_until,
      opened_at = coalesce(opened_at, clock_timestamp()),
      probe_at = greatest(p_until, coalesce(probe_at, clock_timestamp() + p_probe_seconds * interval '1 second')),
      probes_failed = case when v_was_closed then 0 else probes_failed end
    where name = p_name;
  return v_was_closed;
end $$;

-- Takes the turn to probe, if it is due; nobody else has it for p_seconds.
-- → {isMine, openedAt, reason, probesFailed, dueMs}, null when the breaker is closed
create function rowloom.provider_probe_begin(p_name text, p_seconds integer) returns json
language plpgsql as $$
declare
  v providers%rowtype;
  v_now timestamptz := clock_timestamp();
begin
  select * into v from providers where name = p_name and opened_at is not null for update;
  if not found then return null; end if;
  if v.probe_at <= v_now then
    update providers set probe_at = v_now + p_seconds * interval '1 second' where name = p_name;
  end if;
  return json_build_object('isMine', v.probe_at <= v_now, 'openedAt', v.opened_at, 'reason', v.reason,
    'probesFailed', v.probes_failed, 'dueMs', greatest(0, ceil(extract(epoch from v.probe_at - v_now) * 1000)));
end $$;

-- A probe failed: the next one comes in p_seconds, or when the provider said to come back.
create function rowloom.provider_probe_failed(
  p_name text, p_reason text, p_detail text, p_seconds integer, p_until timestamptz default null
) returns void language plpgsql as $$
begin
  update providers set reason = p_reason, detail = p_detail, until = p_until, probes_failed = probes_failed + 1,
      probe_at = greatest(p_until, clock_timestamp() + p_seconds * interval '1 second')
    where name = p_name and opened_at is not null;
end $$;

-- A provider works again. Jobs that run have not stood still meanwhile: they waited.
create function rowloom.provider_close(p_name text) returns void
language plpgsql as $$
begin
  update providers set opened_at = null, reason = null, detail = null, until = null, probe_at = null
    where name = p_name and opened_at is not null;
  if found then
    update jobs set progress_at = clock_timestamp(), watchdog_runs = 0 where status = 'running';
  end if;
end $$;

-- Providers that nobody calls for now. → [{name, reason, detail, openedAt, until}]
create function rowloom.providers_open() returns json
language sql stable as $$
  select coalesce(json_agg(json_build_object('name', name, 'reason', reason, 'detail', detail,
      'openedAt', opened_at, 'until', until) order by name), '[]')
    from providers where opened_at is not null
$$;

-- Providers whose next probe is p_seconds late: whoever was to make it is gone.
create function rowloom.providers_unprobed(p_seconds integer) returns jsonb
language sql stable as $$
  select coalesce(jsonb_agg(name), '[]') from providers
    where opened_at is not null and probe_at < clock_timestamp() - p_seconds * interval '1 second'
$$;
