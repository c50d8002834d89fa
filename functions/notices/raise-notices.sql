-- Raises what an operator has to see: one open notice of a kind about one thing. What was closed comes again
-- only with other words, or with `isAgain`, where its cause is known to be there still. Whoever closes one at
-- the same time is waited for: what is told after that is another notice.
-- p_notices [{kind, subject: {type, id}, detail, isAgain?}]
create function rowloom.notices_raise(p_user uuid, p_notices jsonb) returns void
language sql as $$
  select 1 from notices n
    join jsonb_to_recordset(p_notices) as x (kind text, subject jsonb) on n.subject_id = x.subject ->> 'id'
      and n.subject_type = x.subject ->> 'type' and n.kind = x.kind
    where n.closed_at is null order by n.id for update of n;
  insert into notices (kind, user_id, subject_type, subject_id, detail)
    select x.kind, p_user, x.subject ->> 'type', x.subject ->> 'id', x.detail
      from jsonb_to_recordset(p_notices) as x (kind text, subject jsonb, detail text, "isAgain" boolean)
      where not exists (
        select 1 from notices n where n.subject_id = x.subject ->> 'id' and n.subject_type = x.subject ->> 'type'
          and n.kind = x.kind and (n.closed_at is null or (n.detail = x.detail and x."isAgain" is not true)))
    on conflict do nothing
$$;
