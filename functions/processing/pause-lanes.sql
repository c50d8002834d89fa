-- Notes that a lane holds its messages back for providers, unless one of them works again already.
-- → whether it is to be paused now: it was not, or that was so long ago that it cannot have worked
create function rowloom.lane_pause(p_lane text, p_providers text[]) returns boolean
language plpgsql as $$
declare v_open integer;
begin
  -- The lock makes a provider that closes just now come after this, and find the lane.
  select count(*) into v_open from (
    select 1 from providers where name = any(p_providers) and opened_at is not null order by name for share) open;
  if v_open < cardinality(p_providers) then return false; end if;
  insert into paused_lanes as l (lane, provider) select p_lane, unnest(p_providers)
    on conflict (lane, provider) do update set paused_at = excluded.paused_at
      where l.paused_at < clock_timestamp() - interval '5 seconds';
  return found;
end $$;

-- The queue did not say that it paused a lane. It may have, so the lane stays noted; the next who asks is to try again.
create function rowloom.lane_pause_failed(p_lane text) returns void
language sql as $$
  update paused_lanes set paused_at = least(paused_at, clock_timestamp() - interval '5 seconds')
    where lane = p_lane
$$;

-- Lanes that are held back although a provider that they wait for works again. A pause that was noted before
-- `pausedBefore` has reached the queue by now, or never will.
-- → {lanes, pausedBefore}
create function rowloom.lanes_to_resume() returns json
language sql volatile as $$
  select json_build_object('lanes', coalesce(json_agg(distinct l.lane), '[]'),
      'pausedBefore', clock_timestamp() - interval '1 minute')
    from paused_lanes l
    where not exists (select 1 from providers p where p.name = l.provider and p.opened_at is not null)
$$;

-- The queue has let lanes run again. What was paused since p_paused_before may yet be held back: it stays noted,
-- and is resumed once more.
create function rowloom.lanes_resumed(p_lanes text[], p_paused_before timestamptz) returns void
language sql as $$
  delete from paused_lanes where lane = any(p_lanes) and paused_at < p_paused_before
$$;
