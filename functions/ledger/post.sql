-- The only writer of credit entries, lots, movements and balances.
--
-- Locks the user's row, decides by rule, writes the entry on its business key, moves the lots and
-- the balance: one call, one outcome, whatever runs beside it. The same business key again changes
-- nothing and gives posted = false. p_at is Stripe's time of what happened: a SET, LIMIT or TAKE_BACK from
-- before a SET that was posted already only leaves its entry, so that order of arrival does not matter.
--
--   SET        balance becomes p_amount plan credits; what is left of plan and bonus lapses, and of
--              purchased too unless p_keep_purchased, as far as it is not from after p_at. p_amount
--              null: an unlimited plan.
--   ADD        a new lot of p_amount credits of p_lot_kind.
--   HOLD       takes p_amount from plan, then bonus, then purchased lots; RL402 if there are too few.
--   RELEASE    gives p_amount of the hold p_ref back to the lots they came from, last taken first, and
--              ends the hold of p_settle credits. Credits of a plan lot that a SET closed lapse.
--   TAKE_BACK  takes up to p_amount, first from the lots whose source is p_ref, then from lots of
--              p_lot_kind, then from any; what is not there is recorded as shortfall.
--   LIMIT      cuts the plan credits down to p_amount: a plan that was granted in this period already.
--   GIVE_BACK  gives p_amount of what the entries p_refs took back to the lots they came from.
--   RECORD     an entry of zero credits: something an auditor should see.
create function rowloom.ledger_post(
  p_user uuid,
  p_rule text,
  p_amount integer,
  p_kind text,
  p_business_key text,
  p_source_type text,
  p_source_id text,
  p_lot_kind text default null,
  p_ref text default null,
  p_settle integer default 0,
  p_keep_purchased boolean default false,
  p_job uuid default null,
  p_details jsonb default '{}',
  p_refs text[] default null,
  p_at timestamptz default null,
  out posted boolean,
  out entry_id bigint,
  out amount integer,
  out balance integer
) language plpgsql as $$
declare
  u users%rowtype;
  v_now timestamptz;
  v_moves rowloom.lot_move[] := '{}';
  v_lot bigint;
  v_plan integer;
  v_bonus integer;
  v_purchased integer;
  v_lapsed integer := 0;
  v_details jsonb := p_details;
  v_rule text := p_rule;
begin
  if p_amount < 0 or p_settle < 0 then
    raise exception using errcode = 'RL400', message = 'negative_amount';
  end if;
  select * into u from users where id = p_user for no key update;
  if not found then
    raise exception using errcode = 'RL404', message = 'unknown_user';
  end if;
  select e.id, e.amount, u.credits_balance into entry_id, amount, balance
    from credit_entries e where e.business_key = p_business_key;
  if found then
    posted := false;
    return;
  end if;
  v_now := clock_timestamp();
  if p_rule in ('SET', 'LIMIT', 'TAKE_BACK') and p_at < u.plan_set_at then
    -- Late: a SET that came after it, by Stripe's clock, has been here first and settled everything.
    v_rule := 'RECORD';
    v_details := v_details || '{"late":true}';
  end if;

  case v_rule
    when 'SET' then
      if p_amount is null then
        v_details := v_details || '{"unlimited":true}';
      else
        v_moves := rowloom.lots_to_reset(p_user, p_keep_purchased, coalesce(p_at, v_now));
        update credit_lots set lapsed_at = v_now
          where user_id = p_user and kind = 'plan' and lapsed_at is null;
        update credit_lots set reset_at = coalesce(p_at, v_now)
          where user_id = p_user and reset_at is null and effective_at <= coalesce(p_at, v_now)
            and (kind = 'bonus' or (kind = 'purchased' and not p_keep_purchased));
        v_lot := rowloom.lot_open(p_user, 'plan', p_amount, p_amount, p_source_type, p_source_id,
          v_now, coalesce(p_at, v_now), null);
      end if;
    when 'ADD' then
      if p_lot_kind = 'purchased' and p_at < u.purchased_reset_at then
        v_lapsed := p_amount; -- paid before a SET that has taken it with it
      end if;
      v_lot := rowloom.lot_open(p_user, p_lot_kind, p_amount, p_amount - v_lapsed,
        p_source_type, p_source_id, v_now, coalesce(p_at, '-infinity'), case when v_lapsed > 0 then u.purchased_reset_at end);
    when 'HOLD' then
      if u.credits_balance < p_amount then
        raise exception using errcode = 'RL402', message = 'insufficient_credits',
          detail = json_build_object('required', p_amount, 'balance', u.credits_balance)::text;
      end if;
      v_moves := rowloom.lots_to_spend(p_user, p_amount, null, null);
    when 'RELEASE' then
      v_moves := rowloom.lots_to_refill(array[p_ref], p_amount, false);
    when 'GIVE_BACK' then
      v_moves := rowloom.lots_to_refill(p_refs, p_amount, true);
    when 'LIMIT' then
      v_moves := rowloom.lots_to_limit(p_user, greatest(0, u.credits_plan - p_amount));
    when 'TAKE_BACK' then
      v_moves := rowloom.lots_to_spend(p_user, least(p_amount, u.credits_balance), p_ref, p_lot_kind);
      if p_amount > u.credits_balance then
        v_details := v_details || jsonb_build_object('shortfall', p_amount - u.credits_balance);
      end if;
    when 'RECORD' then null;
    else raise exception using errcode = 'RL400', message = 'unknown_rule';
  end case;
  if v_lot is not null then
    v_moves := v_moves || row(v_lot, case v_rule when 'SET' then 'plan' else p_lot_kind end,
      p_amount - v_lapsed, v_lapsed)::rowloom.lot_move;
  end if;

  select coalesce(sum(m.amount) filter (where m.kind = 'plan'), 0),
         coalesce(sum(m.amount) filter (where m.kind = 'bonus'), 0),
         coalesce(sum(m.amount) filter (where m.kind = 'purchased'), 0),
         coalesce(sum(m.lapsed), 0)
    into v_plan, v_bonus, v_purchased, v_lapsed
    from unnest(v_moves) m;
  amount := v_plan + v_bonus + v_purchased;
  balance := u.credits_balance + amount;
  posted := true;
  if v_lapsed > 0 then
    v_details := v_details || jsonb_build_object('lapsed', v_lapsed);
  end if;

  -- A hold that is wholly spent ends without an entry: nothing changes for the balance.
  if p_rule <> 'RELEASE' or p_amount > 0 then
    insert into credit_entries (user_id, at, kind, amount, plan, bonus, purchased, balance_after,
        business_key, source_type, source_id, job_id, details)
      values (p_user, v_now, p_kind, amount, v_plan, v_bonus, v_purchased, balance,
        p_business_key, p_source_type, p_source_id, p_job, v_details)
      returning id into entry_id;
    insert into credit_movements (entry_id, lot_id, amount, lapsed)
      select ledger_post.entry_id, m.lot_id, m.amount, m.lapsed from unnest(v_moves) m;
    update credit_lots l set remaining = l.remaining + m.amount
      from unnest(v_moves) m where l.id = m.lot_id and l.id is distinct from v_lot and m.amount <> 0;
  end if;
  update users set
    credits_balance = balance,
    credits_plan = credits_plan + v_plan,
    credits_bonus = credits_bonus + v_bonus,
    credits_purchased = credits_purchased + v_purchased,
    credits_held = credits_held + case when p_rule = 'HOLD' then p_amount else -p_settle end,
    unlimited = case when v_rule = 'SET' then p_amount is null else unlimited end,
    plan_set_at = case when v_rule in ('SET', 'LIMIT') then greatest(plan_set_at, p_at) else plan_set_at end,
    purchased_reset_at = case when v_rule = 'SET' and p_amount is not null and not p_keep_purchased
      then greatest(purchased_reset_at, p_at) else purchased_reset_at end
    where id = p_user;
end $$;
