-- The only writer of facts, entries, lots, holds and balances. What a fact means is decided in TypeScript
-- (fold.pure.ts); here are the few steps that need no history, each in one statement under the user's lock.
-- Whatever they cannot do alone they answer with `refold`, having written nothing.

-- When a position is, in microseconds since 1970; sign-up stands before everything.
create function rowloom.position_us(p_position text) returns bigint
language sql immutable as $$
  select case when length(p_position) > 20
    then left(p_position, 11)::bigint * 1000000 + substr(p_position, 16, 6)::bigint else 0 end
$$;

-- Where a fact of ours stands: by our clock, and never before what the user's books know.
create function rowloom.own_position(p_newest text, p_key text) returns text
language plpgsql volatile as $$
declare
  v_us bigint := greatest((extract(epoch from clock_timestamp()) * 1000000)::bigint,
    rowloom.position_us(p_newest) + 1);
begin
  return lpad((v_us / 1000000)::text, 11, '0') || '.60.' || lpad((v_us % 1000000)::text, 6, '0') || '.' || p_key;
end $$;

-- All that a fold needs of a user, as of one moment; as json, which costs a third of jsonb to make.
-- → {userId, version, newestPosition, balance, sum, facts, lots, holds, …}, null for nobody
create function rowloom.ledger_read(p_user uuid) returns json
language sql stable as $$
  select json_build_object('userId', u.id, 'version', u.version, 'newestPosition', u.newest_position,
    'balance', u.credits_balance, 'held', u.credits_held, 'signedUpAt', u.signed_up_at, 'isStale', u.stale_since is not null,
    'foldVersion', u.fold_version,
    'nextDueUs', (extract(epoch from u.next_due_at) * 1000000)::bigint, 'suspendedReason', u.suspended_reason,
    'sum', (select coalesce(sum(e.amount), 0) from credit_entries e where e.user_id = u.id),
    'monthsPosted', (select coalesce(json_agg(e.idempotency_key), '[]') from credit_entries e
      where e.user_id = u.id and e.idempotency_key like 'month:%'),
    'facts', (select coalesce(json_agg(f.body order by f.position), '[]') from credit_facts f where f.user_id = u.id),
    'lots', (
      select coalesce(json_agg(json_build_object('key', l.key, 'kind', l.kind, 'payment', l.payment,
          'opened', l.opened, 'remaining', l.remaining, 'granted', l.granted,
          'isExpired', l.is_expired, 'isEncumbered', l.is_encumbered)), '[]')
        from credit_lots l where l.user_id = u.id),
    'holds', (
      select coalesce(json_agg(json_build_object('key', h.key, 'takes', h.takes, 'uncovered', h.uncovered,
          'isUsage', h.is_usage)), '[]')
        from credit_holds h where h.user_id = u.id))
    from users u where u.id = p_user
$$;

-- Posts one fact that stands after everything that is known.
-- p_step {position, reset?: {subscription, keepPurchased}, open?: {key, kind, subscription, payment, credits},
--   state?: subscription columns, paid?: {…, prefixes}, entry?: {kind, sourceType, sourceId, details}}
-- → posted | known | refold
create function rowloom.ledger_step(p_user uuid, p_fact jsonb, p_step jsonb default null) returns text
language plpgsql as $$
declare
  u users%rowtype;
  s subscriptions%rowtype;
  v_known jsonb;
  v_position text := p_step ->> 'position';
  v_state jsonb := p_step -> 'state';
  v_paid jsonb := p_step -> 'paid';
  v_reset jsonb := p_step -> 'reset';
  v_open jsonb := p_step -> 'open';
  v_entry jsonb := p_step -> 'entry';
  v_at timestamptz := to_timestamp((p_fact ->> 'atUs')::bigint / 1000000.0);
  v_credits bigint := v_open ->> 'credits';
  v_plan bigint := 0;
  v_bonus bigint := 0;
  v_purchased bigint := 0;
  v_amount bigint;
  v_movements jsonb := '{}';
begin
  -- Many that wait for a row wake all at once at each commit; here they stand in a line.
  perform pg_advisory_xact_lock(hashtextextended(p_user::text, 0));
  select * into u from users where id = p_user for no key update;
  select body into v_known from credit_facts where key = p_fact ->> 'key';
  if found then
    return case when v_known - 'decidedAtMs' = p_fact - 'decidedAtMs' then 'known' else 'refold' end;
  end if;
  if p_step is null or u.stale_since is not null or u.next_due_at <= v_at
      or (u.newest_position >= v_position and not rowloom.ledger_commutes(p_user, p_fact, v_position)) then
    return 'refold';
  end if;
  if v_state is not null or v_paid is not null then
    select * into s from subscriptions
      where stripe_subscription_id = coalesce(v_state ->> 'subscription', v_paid ->> 'subscription');
    if found and (s.user_id <> p_user or s.grants_monthly or s.status = 'past_due') then return 'refold'; end if;
    if v_paid is not null then
      -- A second subscription beside one that lives is noticed.
      if s.paid is null and exists (
          select 1 from subscriptions o where o.user_id = p_user and o.paid is not null and o.ended_at is null
            and o.stripe_subscription_id <> v_paid ->> 'subscription') then
        return 'refold';
      end if;
      -- A period bought before; what expires of a lot, under a cap or taken back, depends on history; or
      -- somebody else paid in this second.
      if to_timestamp((v_paid ->> 'periodStart')::bigint) < s.paid_period_start or exists (
          select 1 from credit_lots where user_id = p_user and (is_encumbered and not is_expired
            or opened ^@ ('~' || left(v_position, 11))
            or key ^@ any (array(select jsonb_array_elements_text(v_paid -> 'prefixes'))))) then
        return 'refold';
      end if;
    end if;
    if v_state is not null and (v_state ->> 'credits')::bigint < s.granted_credits
        and v_state ->> 'endedAt' is null then
      return 'refold';
    end if;
    -- Two updates of one second have an order that only the fold knows.
    if v_state ->> 'phase' = 'updated' and exists (
        select 1 from credit_facts where user_id = p_user and kind = 'state'
          and position > left(v_position, 14) and position < left(v_position, 14) || '/'
          and body ->> 'subscription' = v_state ->> 'subscription') then
      return 'refold';
    end if;
    if v_state is null or s.state_position is null or s.state_position < v_position then
      perform rowloom.subscription_put(p_user, v_state, v_paid, v_position);
    end if;
  end if;

  if v_reset is not null then
    with expiring as (
      select key, kind, remaining from credit_lots
        where user_id = p_user and not is_expired
          and (subscription = v_reset ->> 'subscription' or kind = 'bonus'
            or (kind = 'purchased' and not (v_reset ->> 'keepPurchased')::boolean)
            or subscription in (select stripe_subscription_id from subscriptions
              where user_id = p_user and status in ('canceled', 'incomplete_expired')))
    ), expired as (
      update credit_lots l set is_expired = true, remaining = 0
        from expiring e where l.user_id = p_user and l.key = e.key
    )
    select coalesce(-sum(remaining) filter (where kind = 'plan'), 0),
        coalesce(-sum(remaining) filter (where kind = 'bonus'), 0),
        coalesce(-sum(remaining) filter (where kind = 'purchased'), 0),
        coalesce(jsonb_object_agg(key, -remaining) filter (where remaining > 0), '{}')
      into v_plan, v_bonus, v_purchased, v_movements from expiring;
  end if;
  if v_open is not null then
    insert into credit_lots (user_id, key, kind, subscription, payment, opened, granted, remaining)
      values (p_user, v_open ->> 'key', v_open ->> 'kind', v_open ->> 'subscription', v_open ->> 'payment',
        v_position, v_credits, v_credits);
    if v_open ->> 'kind' = 'plan' then v_plan := v_plan + v_credits;
    else v_purchased := v_purchased + v_credits;
    end if;
    if v_credits > 0 then v_movements := v_movements || jsonb_build_object(v_open ->> 'key', v_credits); end if;
  end if;
  v_amount := v_plan + v_bonus + v_purchased;
  insert into credit_facts (key, user_id, kind, at, position, body)
    values (p_fact ->> 'key', p_user, p_fact ->> 'kind', v_at, v_position, p_fact);
  if v_entry is not null then
    insert into credit_entries (user_id, at, kind, amount, plan, bonus, purchased, balance_after,
        idempotency_key, fact_key, source_type, source_id, movements, details)
      values (p_user, clock_timestamp(), v_entry ->> 'kind', v_amount, v_plan, v_bonus, v_purchased,
        u.credits_balance + v_amount, p_fact ->> 'key', p_fact ->> 'key', v_entry ->> 'sourceType',
        v_entry ->> 'sourceId', v_movements, v_entry -> 'details');
  end if;
  update users set version = u.version + 1, newest_position = greatest(u.newest_position, v_position),
      standing_version = u.standing_version + (v_state is not null or v_paid is not null)::integer,
      credits_balance = u.credits_balance + v_amount, credits_plan = u.credits_plan + v_plan,
      credits_bonus = u.credits_bonus + v_bonus, credits_purchased = u.credits_purchased + v_purchased
    where id = p_user;
  return 'posted';
end $$;

-- Whether a late fact does the same in its place as at the end. A pack does unless something after it, be it
-- a month that no fact tells, has spent or expired credits. A subscription's first states do, as long as no
-- plan of it stands before them that they could cut.
create function rowloom.ledger_commutes(p_user uuid, p_fact jsonb, p_position text) returns boolean
language sql stable as $$
  select case p_fact ->> 'kind'
    when 'pack' then not exists (
      select 1 from credit_facts where user_id = p_user and position > p_position collate "C"
        and kind not in ('pack', 'state', 'invoice', 'release'))
      and not exists (
        select 1 from credit_lots where user_id = p_user and opened > p_position collate "C"
          and starts_with(key, 'month:'))
    when 'state' then p_fact ->> 'status' in ('active', 'trialing', 'incomplete')
      and not exists (
        select 1 from credit_facts where user_id = p_user and position > p_position collate "C"
          and (kind not in ('state', 'plan', 'pack') or body ->> 'subscription' <> p_fact ->> 'subscription'
            or body ->> 'form' <> 'full' or (body #>> '{terms,grantsMonthly}')::boolean))
      and not exists (
        select 1 from credit_facts where user_id = p_user and kind = 'plan' and position < p_position collate "C"
          and body ->> 'subscription' = p_fact ->> 'subscription')
    else false end
$$;

-- Writes where a subscription stands. p_state, p_paid: its columns by the names of `Standing`, or null.
create function rowloom.subscription_put(p_user uuid, p_state jsonb, p_paid jsonb, p_position text)
returns void language plpgsql as $$
begin
  if p_state is not null then
    insert into subscriptions as s (stripe_subscription_id, user_id, stripe_customer_id, status, plan, price_id,
        quantity, interval, current_period_start, current_period_end, cancel_at, trial_end, ended_at,
        state_position, terms, grace_days)
      select x.subscription, p_user, x.customer, x.status, x.terms ->> 'plan', x.terms ->> 'priceId', x.quantity,
          x.terms ->> 'interval', to_timestamp(x."periodStart"), to_timestamp(x."periodEnd"),
          to_timestamp(x."cancelAt"), to_timestamp(x."trialEnd"), to_timestamp(x."endedAt"),
          p_position, x.terms, x."graceDays"
        from jsonb_to_record(p_state) as x (subscription text, customer text, status text, terms jsonb,
          quantity integer, "periodStart" bigint, "periodEnd" bigint, "cancelAt" bigint, "trialEnd" bigint,
          "endedAt" bigint, "graceDays" integer)
      on conflict (stripe_subscription_id) do update set
        stripe_customer_id = coalesce(excluded.stripe_customer_id, s.stripe_customer_id),
        status = excluded.status, plan = excluded.plan, price_id = excluded.price_id,
        quantity = excluded.quantity, interval = excluded.interval,
        current_period_start = excluded.current_period_start, current_period_end = excluded.current_period_end,
        cancel_at = excluded.cancel_at, trial_end = excluded.trial_end, ended_at = excluded.ended_at,
        state_position = excluded.state_position, terms = excluded.terms, grace_days = excluded.grace_days,
        failing_since = null;
  end if;
  if p_paid is not null then
    insert into subscriptions as s (stripe_subscription_id, user_id, status, plan, price_id, quantity, interval,
        current_period_start, current_period_end, terms, paid, paid_period_start, granted_credits)
      select x.subscription, p_user, 'active', x.terms ->> 'plan', x.terms ->> 'priceId', x.quantity,
          x.terms ->> 'interval', to_timestamp(x."periodStart"), to_timestamp(x."periodEnd"), x.terms, x.terms,
          to_timestamp(x."periodStart"), x.credits
        from jsonb_to_record(p_paid) as x (subscription text, terms jsonb, quantity integer,
          "periodStart" bigint, "periodEnd" bigint, credits bigint)
      on conflict (stripe_subscription_id) do update set
        paid = excluded.paid, paid_period_start = excluded.paid_period_start, taken_back = false,
        granted_credits = excluded.granted_credits,
        plan = case when s.state_position is null then excluded.plan else s.plan end,
        terms = case when s.state_position is null then excluded.terms else s.terms end,
        price_id = case when s.state_position is null then excluded.price_id else s.price_id end,
        quantity = case when s.state_position is null then excluded.quantity else s.quantity end,
        interval = case when s.state_position is null then excluded.interval else s.interval end,
        current_period_start = case when s.state_position is null
          then excluded.current_period_start else s.current_period_start end,
        current_period_end = case when s.state_position is null
          then excluded.current_period_end else s.current_period_end end;
  end if;
end $$;
