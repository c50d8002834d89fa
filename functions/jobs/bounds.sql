-- What one user may have at once, keep, or have for nothing. Counts are exact: the user's row is locked
-- first. A refusal that undoes everything is raised: RL429, message = code, detail = {limit, used}; one
-- that leaves something behind is given back: {code, limit, used}. p_bounds: the settings, by their names in
-- env/bounds.ts. Lock order: the job, its chunks, the user, the user's day.

-- Days are those of UTC.
create function rowloom.utc_day(p_at timestamptz) returns date
language sql immutable as $$ select (p_at at time zone 'utc')::date $$;

-- Adds rows to a user's day; p_unlimited may be negative.
create function rowloom.user_day_add(
  p_user uuid, p_day date, p_succeeded integer, p_unpaid integer, p_unlimited integer
) returns void language plpgsql as $$
begin
  if p_succeeded = 0 and p_unpaid = 0 and p_unlimited = 0 then return; end if;
  if p_unlimited < 0 then
    update user_days set rows_unlimited = greatest(0, rows_unlimited + p_unlimited) where user_id = p_user and day = p_day;
    return;
  end if;
  insert into user_days as d (user_id, day, rows_succeeded, rows_unpaid, rows_unlimited)
    values (p_user, p_day, p_succeeded, p_unpaid, p_unlimited)
    on conflict (user_id, day) do update set rows_succeeded = d.rows_succeeded + excluded.rows_succeeded,
      rows_unpaid = d.rows_unpaid + excluded.rows_unpaid, rows_unlimited = d.rows_unlimited + excluded.rows_unlimited;
end $$;

-- Whether a model has been asked today for as many of a user's rows as nobody need pay for: p_free, or twice those
-- that succeeded. → {code, limit, used}; null: there may be more
create function rowloom.failed_rows_refusal(p_user uuid, p_free integer) returns jsonb
language sql stable as $$
  select jsonb_build_object('code', 'too_many_failed_rows', 'limit', bound, 'used', rows_unpaid)
    from user_days d, lateral (select greatest(p_free, 2 * rows_succeeded) as bound) as bounds
    where user_id = p_user and day = rowloom.utc_day(clock_timestamp()) and rows_unpaid >= bound
$$;

-- Whether p_rows more are too many today for an unlimited plan. → {code, limit, used, rows}; null: they are not
create function rowloom.fair_use_refusal(p_user uuid, p_day date, p_rows integer, p_limit integer) returns jsonb
language sql stable as $$
  select jsonb_build_object('code', 'fair_use', 'limit', p_limit, 'used', used, 'rows', p_rows)
    from (select coalesce((select rows_unlimited from user_days where user_id = p_user and day = p_day), 0) as used) as day
    where used + p_rows > p_limit
$$;

-- Locks a user, then raises too_many_jobs when as many are open as may be.
create function rowloom.open_jobs_check(p_user uuid, p_limit integer) returns void
language plpgsql as $$
declare v_open integer;
begin
  perform 1 from users where id = p_user for no key update;
  select count(*) into v_open from jobs
    where user_id = p_user and deleted_at is null
      and status in ('created', 'uploading', 'awaiting_credits', 'ready', 'running', 'paused');
  if v_open >= p_limit then
    raise exception using errcode = 'RL429', message = 'too_many_jobs',
      detail = jsonb_build_object('limit', p_limit, 'used', v_open);
  end if;
end $$;

-- Locks a user, then says whether p_bytes more of a job, beside what its other jobs keep, are too much.
-- → {code, limitBytes, usedBytes}; null: they are not
create function rowloom.storage_refusal(p_user uuid, p_job uuid, p_bytes bigint, p_limit bigint) returns jsonb
language plpgsql as $$
declare v_used bigint;
begin
  perform 1 from users where id = p_user for no key update;
  select coalesce(sum(bytes_stored), 0) into v_used from jobs
    where user_id = p_user and bytes_stored > 0 and id <> p_job;
  if v_used + p_bytes <= p_limit then return null; end if;
  return jsonb_build_object('code', 'storage_full', 'limitBytes', p_limit, 'usedBytes', v_used);
end $$;

-- What a job's rows and results take, as they are stored.
create function rowloom.job_bytes(p_job uuid) returns bigint
language sql stable as $$
  select coalesce(sum(pg_column_size(rows) + coalesce(pg_column_size(results), 0)), 0)::bigint
    from job_chunks where job_id = p_job
$$;
