-- Opens a lot and gives its id; none for zero credits.
create function rowloom.lot_open(
  p_user uuid, p_kind text, p_granted integer, p_remaining integer, p_source_type text, p_source_id text,
  p_now timestamptz, p_effective timestamptz, p_reset timestamptz
) returns bigint language sql as $$
  insert into credit_lots (user_id, kind, granted, remaining, source_type, source_id, created_at, effective_at,
      reset_at)
    select p_user, p_kind, p_granted, p_remaining, p_source_type, p_source_id, p_now, p_effective, p_reset
      where p_granted > 0
    returning id
$$;

-- The moves that empty every lot a SET makes lapse: what was paid for later than p_at stays.
create function rowloom.lots_to_reset(p_user uuid, p_keep_purchased boolean, p_at timestamptz)
returns rowloom.lot_move[] language sql stable as $$
  select coalesce(array_agg(row(l.id, l.kind, -l.remaining, 0)::rowloom.lot_move order by l.id), '{}')
    from credit_lots l
    where l.user_id = p_user and l.remaining > 0
      and (l.kind = 'plan' or (l.effective_at <= p_at and not (l.kind = 'purchased' and p_keep_purchased)))
$$;

-- The moves that take p_amount: lots of source p_ref first, then of kind p_first, then plan, bonus,
-- purchased; the oldest lot of a kind first. The caller knows that there is enough.
create function rowloom.lots_to_spend(p_user uuid, p_amount integer, p_ref text, p_first text)
returns rowloom.lot_move[] language sql stable as $$
  with ranked as (
    select l.id, l.kind, l.remaining,
      sum(l.remaining) over (
        order by (l.source_id = p_ref) desc nulls last, (l.kind = p_first) desc nulls last,
          array_position(array['plan', 'bonus', 'purchased'], l.kind), l.id
      ) - l.remaining as before
    from credit_lots l
    where l.user_id = p_user and l.remaining > 0
  )
  select coalesce(array_agg(
      row(r.id, r.kind, -least(r.remaining, p_amount - r.before), 0)::rowloom.lot_move order by r.id
    ), '{}')
    from ranked r where r.before < p_amount
$$;

-- The moves that take p_amount from plan lots alone, the oldest first. The caller knows there is enough.
create function rowloom.lots_to_limit(p_user uuid, p_amount integer)
returns rowloom.lot_move[] language sql stable as $$
  with ranked as (
    select l.id, l.kind, l.remaining, sum(l.remaining) over (order by l.id) - l.remaining as before
      from credit_lots l where l.user_id = p_user and l.remaining > 0 and l.kind = 'plan'
  )
  select coalesce(array_agg(
      row(r.id, r.kind, -least(r.remaining, p_amount - r.before), 0)::rowloom.lot_move order by r.id
    ), '{}')
    from ranked r where r.before < p_amount
$$;

-- The moves that give p_amount of what the entries p_keys took back to its lots: purchased, bonus,
-- plan, newest lot first, so that what stays charged was taken first. A closed lot takes nothing: those
-- credits lapse. A plan lot is closed by the SET after it; with p_reset_closes, others by theirs as well.
create function rowloom.lots_to_refill(p_keys text[], p_amount integer, p_reset_closes boolean)
returns rowloom.lot_move[] language plpgsql stable as $$
declare
  v_moves rowloom.lot_move[];
  v_found integer;
begin
  with taken as (
    select l.id, l.kind, l.lapsed_at is not null or (p_reset_closes and l.reset_at is not null) as closed,
      -sum(m.amount + m.lapsed) as held,
      sum(-sum(m.amount + m.lapsed)) over (
        order by array_position(array['purchased', 'bonus', 'plan'], l.kind), l.id desc
      ) + sum(m.amount + m.lapsed) as before
    from credit_entries e
    join credit_movements m on m.entry_id = e.id
    join credit_lots l on l.id = m.lot_id
    where e.business_key = any(p_keys)
    group by l.id
    having sum(m.amount + m.lapsed) < 0
  ), given as (
    select t.*, least(t.held, p_amount - t.before)::integer as back from taken t where t.before < p_amount
  )
  select array_agg(row(g.id, g.kind,
      case when g.closed then 0 else g.back end,
      case when g.closed then g.back else 0 end)::rowloom.lot_move order by g.id),
    coalesce(sum(g.back), 0)
    into v_moves, v_found from given g;
  if v_found <> p_amount then
    raise exception using errcode = 'RL409', message = 'release_exceeds_hold';
  end if;
  return coalesce(v_moves, '{}');
end $$;
