-- Opens one of a user's event streams, for as long as it is renewed. RL429 too_many_streams.
create function rowloom.stream_open(p_user uuid, p_stream uuid, p_limit integer, p_seconds integer) returns boolean
language plpgsql as $$
declare v_open integer;
begin
  perform 1 from users where id = p_user for no key update;
  delete from event_streams where user_id = p_user and lease_until <= clock_timestamp();
  select count(*) into v_open from event_streams where user_id = p_user;
  if v_open >= p_limit then
    raise exception using errcode = 'RL429', message = 'too_many_streams',
      detail = jsonb_build_object('limit', p_limit, 'used', v_open);
  end if;
  insert into event_streams (id, user_id, lease_until)
    values (p_stream, p_user, clock_timestamp() + p_seconds * interval '1 second');
  return true;
end $$;

-- A stream that still streams counts on, also when its lease has run out while the database was away.
create function rowloom.stream_renew(p_user uuid, p_stream uuid, p_seconds integer) returns void
language sql as $$
  insert into event_streams (id, user_id, lease_until)
    values (p_stream, p_user, clock_timestamp() + p_seconds * interval '1 second')
    on conflict (id) do update set lease_until = excluded.lease_until
$$;

create function rowloom.stream_close(p_stream uuid) returns void
language sql as $$ delete from event_streams where id = p_stream $$;
