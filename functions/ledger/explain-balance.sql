-- Events that are not applied and name the user by an id, a customer, a subscription, an e-mail address or a
-- payment, without those that are about somebody else: at most 100, the oldest first, among the 2,000 oldest.
-- → {events: [{…}], complete}
create function rowloom.credits_explain_events(p_user uuid) returns jsonb
language sql stable as $$
  with names as (
    select array_agg(lower(n)) || array_agg(n) as plain, array_agg(lower(to_jsonb(n)::text)) as quoted
      from users u, lateral (
        select unnest(array[u.id::text, u.external_id, u.stripe_customer_id, u.email]) as n
        union select customer_id from stripe_customers where user_id = u.id
        union select stripe_subscription_id from subscriptions where user_id = u.id) told
      where u.id = p_user and n <> ''
  ), open as (
    select * from stripe_events where status in ('failed', 'pending')
      order by stripe_created_at, event_id limit 2001
  ), found as (
    select o.event_id, o.type, o.status, o.attempts, o.error_code, o.error, o.stripe_created_at, o.next_attempt_at,
        p.object, p.payer
      from open o, names n,
        lateral (select lower(o.payload::text) as text, o.payload #> '{data,object}' as object) e,
        lateral (select e.object, (
          select f.user_id from payment_refs r join credit_facts f on f.key = r.payment
            where r.ref = any(o.waiting_for || array[e.object ->> 'id', e.object ->> 'payment_intent',
              e.object ->> 'charge', e.object ->> 'invoice']) limit 1) as payer) p
      where o.waiting_for && n.plain or p.payer = p_user
        or exists (select 1 from unnest(n.quoted) q where strpos(e.text, q) > 0)
  ), told as (
    select found.*, row_number() over (order by stripe_created_at, event_id) as nth
      from found, lateral (
        select rowloom.user_resolve(jsonb_build_object(
          'userIds', to_jsonb(array_remove(array[object #>> '{metadata,user_id}',
            object #>> '{parent,subscription_details,metadata,user_id}',
            object #>> '{subscription_details,metadata,user_id}'], null)),
          'references', to_jsonb(array_remove(array[object ->> 'client_reference_id'], null)),
          'subscriptionId', coalesce(object #>> '{parent,subscription_details,subscription}',
            object ->> 'subscription', case when object ->> 'object' = 'subscription' then object ->> 'id' end),
          'customerId', object ->> 'customer',
          'email', coalesce(object #>> '{customer_details,email}', object ->> 'customer_email'))) as w) who,
        lateral (select coalesce((w ->> 'userId')::uuid, (w -> 'references' ->> 0)::uuid,
          case when jsonb_array_length(w -> 'emails') = 1 then (w -> 'emails' ->> 0)::uuid end, payer) as owner) whose
      where owner is null or owner = p_user
      order by nth limit 101
  )
  select jsonb_build_object(
    'events', coalesce((select jsonb_agg(to_jsonb(t) - '{object,payer,nth}'::text[] order by nth)
      from told t where nth <= 100), '[]'),
    'complete', (select count(*) <= 2000 from open) and (select count(*) <= 100 from told))
$$;

-- All that explains a user's balance, as of one moment; null for nobody. `entries` has one more than asked for
-- where there are more. → {timeline: as ledger_read, account, entries, open}
create function rowloom.credits_explain(p_user uuid, p_limit integer, p_cursor bigint default null) returns jsonb
language sql stable as $$
  select jsonb_build_object(
    'timeline', rowloom.ledger_read(u.id),
    'account', jsonb_build_object('externalId', u.external_id, 'plan', u.credits_plan, 'bonus', u.credits_bonus,
      'purchased', u.credits_purchased),
    'entries', (
      select coalesce(jsonb_agg(to_jsonb(e) order by e.id desc), '[]') from (
        select * from credit_entries where user_id = u.id and id < coalesce(p_cursor, 9223372036854775807)
          order by id desc limit p_limit + 1) e),
    'open', rowloom.credits_explain_events(u.id))
    from users u where u.id = p_user
$$;
