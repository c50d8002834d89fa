-- Writes the difference between the books that are stored and those that a fold came to, if nobody has
-- changed them since it read version p ->> 'version'.
-- p {userId, version, facts: [{key, kind, atUs, position, body}], lots: [changed or new], goneLots: [keys],
--   holds: [all], entries: [{…}], totals: {plan, bonus, purchased, held, shortfall}, newestPosition,
--   nextDueUs, suspended: {sinceUs, reason} | null, foldVersion, subscriptions: [{…}], customer: chosen for want of
--   another | null, notices: [{…}], allowanceDueUs?}
-- → posted | conflict; raises fact_of_another_user when a fact's key is somebody else's
create function rowloom.ledger_post_fold(p jsonb) returns text
language plpgsql as $$
declare
  u users%rowtype;
  v_user uuid := (p ->> 'userId')::uuid;
  t jsonb := p -> 'totals';
  v_facts integer;
begin
  select * into u from users where id = v_user for no key update;
  if u.version is distinct from (p ->> 'version')::bigint then return 'conflict'; end if;

  insert into credit_facts as f (key, user_id, kind, at, position, body)
    select x.key, v_user, x.kind, to_timestamp(x."atUs" / 1000000.0), x.position, x.body
      from jsonb_to_recordset(p -> 'facts') as x (key text, kind text, "atUs" bigint, position text, body jsonb)
    on conflict (key) do update set at = excluded.at, position = excluded.position, body = excluded.body
      where f.user_id = v_user;
  get diagnostics v_facts = row_count;
  if v_facts < jsonb_array_length(p -> 'facts') then
    raise exception 'fact_of_another_user' using errcode = 'RL409';
  end if;
  delete from credit_lots where user_id = v_user and key in (select jsonb_array_elements_text(p -> 'goneLots'));
  insert into credit_lots as l (user_id, key, kind, subscription, payment, opened, granted, remaining, is_expired,
      is_encumbered)
    select v_user, x.key, x.kind, x.subscription, x.payment, x.opened, x.granted, x.remaining, x."isExpired",
        x."isEncumbered"
      from jsonb_to_recordset(p -> 'lots') as x (key text, kind text, subscription text, payment text, opened text,
        granted bigint, remaining bigint, "isExpired" boolean, "isEncumbered" boolean)
    on conflict (user_id, key) do update set kind = excluded.kind, subscription = excluded.subscription,
      payment = excluded.payment, opened = excluded.opened, granted = excluded.granted,
      remaining = excluded.remaining, is_expired = excluded.is_expired, is_encumbered = excluded.is_encumbered;
  delete from credit_holds where user_id = v_user
    and key not in (select x ->> 'key' from jsonb_array_elements(p -> 'holds') x);
  insert into credit_holds as h (key, user_id, credits, takes, uncovered, is_usage)
    select x.key, v_user, x.credits, x.takes, x.uncovered, x."isUsage"
      from jsonb_to_recordset(p -> 'holds') as x (key text, credits bigint, takes jsonb, uncovered bigint,
        "isUsage" boolean)
    on conflict (key) do update set credits = excluded.credits, takes = excluded.takes,
      uncovered = excluded.uncovered, is_usage = excluded.is_usage;

  delete from subscriptions where user_id = v_user and stripe_subscription_id not in (
    select x ->> 'subscription' from jsonb_array_elements(p -> 'subscriptions') x);
  insert into subscriptions as s (stripe_subscription_id, user_id, stripe_customer_id, status, plan, price_id,
      quantity, interval, current_period_start, current_period_end, cancel_at, trial_end, ended_at, state_position,
      terms, paid, paid_period_start, taken_back, failing_since, grace_days, granted_credits, grants_monthly)
    select x.subscription, v_user, x.customer, x.status, x.terms ->> 'plan', x.terms ->> 'priceId', x.quantity,
        x.terms ->> 'interval', to_timestamp(x."periodStart"), to_timestamp(x."periodEnd"),
        to_timestamp(x."cancelAt"), to_timestamp(x."trialEnd"), to_timestamp(x."endedAt"), x."statePosition",
        x.terms, x.paid, to_timestamp(x."paidPeriodStart"), x."takenBack",
        to_timestamp(x."failingSinceUs" / 1000000.0), x."graceDays", x."grantedCredits", x."grantsMonthly"
      from jsonb_to_recordset(p -> 'subscriptions') as x (subscription text, customer text, status text, terms jsonb,
        paid jsonb, quantity integer, "periodStart" bigint, "periodEnd" bigint, "cancelAt" bigint,
        "trialEnd" bigint, "endedAt" bigint, "statePosition" text, "paidPeriodStart" bigint, "takenBack" boolean,
        "failingSinceUs" bigint, "graceDays" integer, "grantedCredits" bigint, "grantsMonthly" boolean)
    on conflict (stripe_subscription_id) do update set
      stripe_customer_id = coalesce(excluded.stripe_customer_id, s.stripe_customer_id),
      status = excluded.status, plan = excluded.plan, price_id = excluded.price_id, quantity = excluded.quantity,
      interval = excluded.interval, current_period_start = excluded.current_period_start,
      current_period_end = excluded.current_period_end, cancel_at = excluded.cancel_at,
      trial_end = excluded.trial_end, ended_at = excluded.ended_at, state_position = excluded.state_position,
      terms = excluded.terms, paid = excluded.paid, paid_period_start = excluded.paid_period_start,
      taken_back = excluded.taken_back, failing_since = excluded.failing_since, grace_days = excluded.grace_days,
      granted_credits = excluded.granted_credits, grants_monthly = excluded.grants_monthly
      where s.user_id = v_user;

  insert into credit_entries (user_id, at, kind, amount, plan, bonus, purchased, balance_after, idempotency_key,
      fact_key, source_type, source_id, job_id, movements, details)
    select v_user, clock_timestamp(), x.kind, x.plan + x.bonus + x.purchased, x.plan, x.bonus, x.purchased,
        u.credits_balance + sum(x.plan + x.bonus + x.purchased) over (order by x.nth), x."idempotencyKey", x."factKey",
        x."sourceType", x."sourceId", x."jobId", x.movements, x.details
      from jsonb_to_recordset(p -> 'entries') as x (nth integer, kind text, plan bigint, bonus bigint,
        purchased bigint, "idempotencyKey" text, "factKey" text, "sourceType" text, "sourceId" text, "jobId" uuid,
        movements jsonb, details jsonb)
      order by x.nth;
  update users set version = u.version + 1, standing_version = u.standing_version + 1,
      newest_position = greatest(p ->> 'newestPosition' collate "C", u.newest_position), stale_since = null,
      next_due_at = to_timestamp((p ->> 'nextDueUs')::bigint / 1000000.0),
      allowance_due_at = coalesce(to_timestamp((p ->> 'allowanceDueUs')::bigint / 1000000.0), allowance_due_at),
      suspended_at = to_timestamp((p -> 'suspended' ->> 'sinceUs')::bigint / 1000000.0),
      suspended_reason = p -> 'suspended' ->> 'reason',
      stripe_customer_id = case
        when p ->> 'customer' is not null
            and not exists (select 1 from stripe_customers c where c.customer_id = p ->> 'customer'
              and (c.user_id <> v_user or c.deleted_at is not null))
            and (u.stripe_customer_id is null or exists (
              select 1 from stripe_customers o where o.customer_id = u.stripe_customer_id and o.is_chosen))
        then p ->> 'customer' else u.stripe_customer_id end,
      fold_version = (p ->> 'foldVersion')::integer,
      credits_plan = (t ->> 'plan')::bigint, credits_bonus = (t ->> 'bonus')::bigint,
      credits_purchased = (t ->> 'purchased')::bigint, credits_held = (t ->> 'held')::bigint,
      credits_balance = (t ->> 'plan')::bigint + (t ->> 'bonus')::bigint + (t ->> 'purchased')::bigint,
      credits_shortfall = (t ->> 'shortfall')::bigint
    where id = v_user;
  -- What only looked so until a late fact came, or until somebody mended it in Stripe.
  update notices n set closed_at = clock_timestamp(), closed_reason = 'The books no longer say so.'
    where n.closed_at is null and n.user_id = v_user and n.kind in ('duplicate_subscription', 'unlinked_payment')
      and not exists (select 1 from jsonb_array_elements(p -> 'notices') x
        where x ->> 'kind' = n.kind and x #>> '{subject,id}' = n.subject_id);
  if jsonb_array_length(p -> 'notices') > 0 then
    update notices n set closed_at = null, closed_reason = null
      from jsonb_array_elements(p -> 'notices') x
      where n.subject_id = x #>> '{subject,id}' and n.kind = x ->> 'kind' and n.detail = x ->> 'detail'
        and n.closed_reason = 'The books no longer say so.' and not exists (select 1 from notices o
          where o.subject_id = n.subject_id and o.kind = n.kind and o.closed_at is null);
    perform rowloom.notices_raise(v_user, p -> 'notices');
  end if;
  return 'posted';
end $$;
