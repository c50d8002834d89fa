-- A user's books as they are stored, for an audit by the fold. Times are unix seconds, as post-fold.sql takes
-- them; `moved`: what all entries together moved each lot by; `misfits`: how many entries are not the sum of
-- their movements, or do not go on from the balance before.
-- → {timeline: as ledger_read, totals, moved, misfits, subscriptions}, null for nobody
create function rowloom.books_read(p_user uuid) returns jsonb
language sql stable as $$
  select jsonb_build_object('timeline', rowloom.ledger_read(u.id),
    'totals', jsonb_build_object('plan', u.credits_plan, 'bonus', u.credits_bonus, 'purchased', u.credits_purchased,
      'held', u.credits_held, 'shortfall', u.credits_shortfall),
    'moved', (
      select coalesce(jsonb_object_agg(lot, credits), '{}') from (
        select m.key as lot, sum(m.value::bigint) as credits
          from credit_entries e, jsonb_each_text(e.movements) m where e.user_id = u.id group by m.key) moves),
    'misfits', (
      select count(*) from (
        select e.balance_after - sum(e.amount) over (order by e.id) as gap,
            e.amount - (select coalesce(sum(m.value::bigint), 0) from jsonb_each_text(e.movements) m) as rest
          from credit_entries e where e.user_id = u.id) checked
        where gap <> 0 or rest <> 0),
    'subscriptions', (
      select coalesce(jsonb_agg(jsonb_build_object('subscription', s.stripe_subscription_id, 'status', s.status,
          'terms', s.terms, 'paid', s.paid, 'quantity', s.quantity, 'takenBack', s.taken_back,
          'periodStart', extract(epoch from s.current_period_start)::bigint,
          'periodEnd', extract(epoch from s.current_period_end)::bigint,
          'cancelAt', extract(epoch from s.cancel_at)::bigint, 'trialEnd', extract(epoch from s.trial_end)::bigint,
          'endedAt', extract(epoch from s.ended_at)::bigint, 'statePosition', s.state_position,
          'paidPeriodStart', extract(epoch from s.paid_period_start)::bigint,
          'failingSinceUs', (extract(epoch from s.failing_since) * 1000000)::bigint, 'graceDays', s.grace_days,
          'grantedCredits', s.granted_credits, 'grantsMonthly', s.grants_monthly)), '[]')
        from subscriptions s where s.user_id = u.id))
    from users u where u.id = p_user
$$;
