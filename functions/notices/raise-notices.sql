-- Raises what an operator has to see: one open notice of a kind about one thing. What was closed comes again
-- only with other words, or with `isAgain`, where its cause is known to be there still. Whoever closes one at
-- the same time is waited for: what is told after that is another notice.
-- p_notices [{kind, subject: {type, id}, detail, isAgain?}]
create function rowloom.notices_raise(p_user uuid, p_notices jsonb) returns void
language plpgsql set plan_cache_mode = force_generic_plan as $$
declare
  x record;
begin
  -- One by one: a join with what is told, whose length nobody knows, would read all that was ever noticed.
  for x in select n ->> 'kind' as kind, n -> 'subject' ->> 'type' as type, n -> 'subject' ->> 'id' as id,
        n ->> 'detail' as detail, coalesce((n ->> 'isAgain')::boolean, false) as again
      from jsonb_array_elements(p_notices) n order by 3, 2, 1 loop
    perform 1 from notices n
      where n.subject_id = x.id and n.subject_type = x.type and n.kind = x.kind and n.closed_at is null for update;
    insert into notices (kind, user_id, subject_type, subject_id, detail)
      select x.kind, p_user, x.type, x.id, x.detail
        where not exists (
          select 1 from notices n where n.subject_id = x.id and n.subject_type = x.type and n.kind = x.kind
            and (n.closed_at is null or (n.detail = x.detail and not x.again)))
      on conflict do nothing;
  end loop;
end $$;
