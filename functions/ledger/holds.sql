-- What the runs of jobs hold: taken from plan, then bonus, then purchased lots, the oldest of a kind first.

-- Holds credits for a run. The caller has seen what the user is entitled to as of p_standing; p_unlimited:
-- it is usage and takes nothing.
-- → {outcome: held | insufficient | suspended | refold | changed, balance}
create function rowloom.ledger_hold(
  p_user uuid, p_job uuid, p_run integer, p_credits bigint, p_unlimited boolean, p_standing bigint
) returns jsonb language plpgsql as $$
declare
  u users%rowtype;
  v_key text := format('hold:%s:%s', p_job, p_run);
  v_position text;
  v_taken bigint;
begin
  select * into u from users where id = p_user for no key update;
  v_position := rowloom.own_position(u.newest_position, v_key);
  if u.stale_since is not null
      or u.next_due_at <= to_timestamp(rowloom.position_us(v_position) / 1000000.0) then
    return jsonb_build_object('outcome', 'refold');
  elsif u.standing_version <> p_standing then
    return jsonb_build_object('outcome', 'changed');
  elsif u.suspended_at is not null then
    return jsonb_build_object('outcome', 'suspended');
  elsif not p_unlimited and u.credits_balance < p_credits then
    return jsonb_build_object('outcome', 'insufficient', 'balance', u.credits_balance);
  end if;
  v_taken := case when p_unlimited then 0 else p_credits end;

  with ordered as (
    select l.key, l.kind, l.remaining, row_number() over spending as nth,
        sum(l.remaining) over spending - l.remaining as before
      from credit_lots l where l.user_id = p_user and l.remaining > 0
      window spending as (order by array_position(array['plan', 'bonus', 'purchased'], l.kind), l.opened, l.key)
  ), taken as (
    select key, kind, nth, least(remaining, v_taken - before)::bigint as credits from ordered where before < v_taken
  ), moved as (
    update credit_lots l set remaining = l.remaining - t.credits
      from taken t where l.user_id = p_user and l.key = t.key
  ), fact as (
    insert into credit_facts (key, user_id, kind, at, position, body)
      select v_key, p_user, 'hold', to_timestamp(us / 1000000.0), v_position, jsonb_build_object('kind', 'hold',
          'key', v_key, 'atUs', us, 'decidedAtMs', us / 1000, 'job', p_job, 'run', p_run, 'credits', p_credits)
        from (select rowloom.position_us(v_position) as us) clock
  ), held as (
    insert into credit_holds (key, user_id, credits, takes, is_usage)
      select v_key, p_user, p_credits, coalesce(jsonb_agg(jsonb_build_array(key, credits) order by nth), '[]'),
          p_unlimited from taken
  ), sums as (
    select coalesce(sum(credits) filter (where kind = 'plan'), 0)::bigint as plan,
        coalesce(sum(credits) filter (where kind = 'bonus'), 0)::bigint as bonus,
        coalesce(sum(credits) filter (where kind = 'purchased'), 0)::bigint as purchased,
        coalesce(jsonb_object_agg(key, -credits), '{}') as movements
      from taken
  ), entry as (
    insert into credit_entries (user_id, at, kind, amount, plan, bonus, purchased, balance_after,
        idempotency_key, fact_key, source_type, source_id, job_id, movements)
      select p_user, clock_timestamp(), 'hold', -v_taken, -plan, -bonus, -purchased, u.credits_balance - v_taken,
          v_key, v_key, 'job', p_job, p_job, movements
        from sums where not p_unlimited
  )
  update users set version = u.version + 1, newest_position = v_position,
      credits_balance = u.credits_balance - v_taken, credits_plan = u.credits_plan - plan,
      credits_bonus = u.credits_bonus - bonus, credits_purchased = u.credits_purchased - purchased,
      credits_held = u.credits_held + v_taken,
      -- A disputed plan that is used suspends: the fold says whether this is one.
      stale_since = case when p_unlimited and exists (select 1 from credit_facts f where f.user_id = p_user
          and f.kind = 'reversal' and f.body ->> 'source' = 'dispute' and (f.body ->> 'taken')::boolean)
        then clock_timestamp() end
    from sums where id = p_user;
  return jsonb_build_object('outcome', 'held', 'balance', u.credits_balance - v_taken);
end $$;

-- Ends a run's hold: p_credits of it come back to the lots that they were taken from, last taken first;
-- what comes back to an expired lot is gone. Where what comes back depends on history, the fact is stored
-- and the user is stale until a refold: a job's end never waits for one.
create function rowloom.ledger_release(
  p_user uuid, p_job uuid, p_run integer, p_credits bigint, p_rows integer
) returns void language plpgsql as $$
declare
  u users%rowtype;
  h credit_holds%rowtype;
  v_hold text := format('hold:%s:%s', p_job, p_run);
  v_key text := format('release:%s:%s', p_job, p_run);
  v_position text;
  v_us bigint;
begin
  select * into u from users where id = p_user for no key update;
  if exists (select 1 from credit_facts where key = v_key) then return; end if;
  v_position := rowloom.own_position(u.newest_position, v_key);
  v_us := rowloom.position_us(v_position);
  insert into credit_facts (key, user_id, kind, at, position, body)
    values (v_key, p_user, 'release', to_timestamp(v_us / 1000000.0), v_position, jsonb_build_object(
      'kind', 'release', 'key', v_key, 'atUs', v_us, 'decidedAtMs', v_us / 1000, 'job', p_job, 'run', p_run,
      'hold', v_hold, 'credits', p_credits, 'rows', p_rows));
  select * into h from credit_holds where key = v_hold;
  if not found or u.stale_since is not null or h.uncovered > 0 or u.next_due_at <= to_timestamp(v_us / 1000000.0)
      or exists (select 1 from credit_lots l join jsonb_array_elements(h.takes) t on l.key = t ->> 0
        where l.user_id = p_user and l.is_encumbered) then
    update users set version = u.version + 1, newest_position = v_position,
        stale_since = coalesce(u.stale_since, clock_timestamp()) where id = p_user;
    return;
  end if;

  with taken as (
    select t.take ->> 0 as key, (t.take ->> 1)::bigint as credits,
        sum((t.take ->> 1)::bigint) over (order by t.nth desc) - (t.take ->> 1)::bigint as before
      from jsonb_array_elements(h.takes) with ordinality as t(take, nth)
  ), back as (
    select t.key, l.kind, least(t.credits, p_credits - t.before)::bigint as credits, l.is_expired
      from taken t join credit_lots l on l.user_id = p_user and l.key = t.key where t.before < p_credits
  ), moved as (
    update credit_lots l set remaining = l.remaining + b.credits
      from back b where l.user_id = p_user and l.key = b.key and not b.is_expired
  ), ended as (
    delete from credit_holds where key = v_hold
  ), sums as (
    select coalesce(sum(credits) filter (where not is_expired), 0)::bigint as amount,
        coalesce(sum(credits) filter (where kind = 'plan' and not is_expired), 0)::bigint as plan,
        coalesce(sum(credits) filter (where kind = 'bonus' and not is_expired), 0)::bigint as bonus,
        coalesce(sum(credits) filter (where kind = 'purchased' and not is_expired), 0)::bigint as purchased,
        coalesce(jsonb_object_agg(key, credits) filter (where not is_expired), '{}') as movements
      from back
  ), entry as (
    insert into credit_entries (user_id, at, kind, amount, plan, bonus, purchased, balance_after,
        idempotency_key, fact_key, source_type, source_id, job_id, movements, details)
      select p_user, clock_timestamp(), case when h.is_usage then 'usage' else 'release' end, amount, plan, bonus,
          purchased, u.credits_balance + amount, v_key, v_key, 'job', p_job, p_job, movements,
          case when h.is_usage then jsonb_build_object('rows', p_rows)
            else jsonb_build_object('charged', h.credits - p_credits) end
        from sums where h.is_usage or p_credits > 0
  )
  update users set version = u.version + 1, newest_position = v_position,
      credits_balance = u.credits_balance + amount, credits_plan = u.credits_plan + plan,
      credits_bonus = u.credits_bonus + bonus, credits_purchased = u.credits_purchased + purchased,
      credits_held = u.credits_held - case when h.is_usage then 0 else h.credits end
    from sums where id = p_user;
end $$;
