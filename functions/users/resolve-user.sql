-- The user by our id or the external one, ours first; null if there is none.
create function rowloom.user_find(p_ref text) returns uuid
language plpgsql stable as $$
declare v_user uuid;
begin
  if p_ref ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then
    select id into v_user from users where id = p_ref::uuid;
  end if;
  if v_user is null then
    select id into v_user from users where external_id = p_ref;
  end if;
  return v_user;
end $$;

-- Whose an event is by what nobody but us can choose: whoever has its fact, got what its payment bought or has
-- its subscription, then by the ids in our metadata (own or external), then by its Stripe customer. Where none of
-- these tells, the accounts that the payer's own words mean: claimOf (stripe/whose.pure.ts) decides.
-- p_identity {userIds, doubtfulIds?, customerId, references?, email, subscriptionId?, refs?}
-- → {userId, payment, isChosen} | {userId: null, isPayment, references: [user ids], emails: [user ids], waitsFor}
create function rowloom.user_resolve(p_identity jsonb, p_fact text default null) returns jsonb
language plpgsql stable as $$
declare
  v_candidate text;
  v_user uuid;
  v_named uuid;
  v_payer uuid;
  v_payment text;
  v_isChosen boolean;
  v_customer text := p_identity ->> 'customerId';
  v_ids jsonb := p_identity -> 'userIds';
  v_email text := lower((p_identity ->> 'email') collate "C");
begin
  if jsonb_typeof(p_identity -> 'refs') = 'array' then
    select f.user_id, r.payment into v_user, v_payment from payment_refs r join credit_facts f on f.key = r.payment
      where r.ref in (select jsonb_array_elements_text(p_identity -> 'refs')) order by r.payment limit 1;
    if v_user is not null then
      return jsonb_build_object('userId', v_user, 'payment', v_payment, 'isChosen', false);
    end if;
    return jsonb_build_object('userId', null, 'isPayment', true, 'references', '[]'::jsonb, 'emails', '[]'::jsonb,
      'waitsFor', (p_identity -> 'refs') || coalesce((select jsonb_agg(payment) from payment_refs
        where ref in (select jsonb_array_elements_text(p_identity -> 'refs'))), '[]'));
  end if;
  select user_id into v_user from credit_facts where key = p_fact;
  -- Another shop numbers its users as our sign-up may: the customer has to be one of ours, or be waited for.
  if p_identity ? 'doubtfulIds' and (exists (select 1 from stripe_customers where customer_id = v_customer)
      or exists (select 1 from stripe_events where waiting_for && array[v_customer] and status in ('failed', 'pending'))) then
    v_ids := v_ids || (p_identity -> 'doubtfulIds');
  end if;
  for v_candidate in select jsonb_array_elements_text(v_ids) loop
    v_named := coalesce(v_named, rowloom.user_find(v_candidate));
  end loop;
  if v_named is null and v_customer is not null then
    select user_id, is_chosen into v_payer, v_isChosen from stripe_customers where customer_id = v_customer;
    if not found then select id, false into v_payer, v_isChosen from users where stripe_customer_id = v_customer; end if;
  end if;
  if v_user is null then
    -- The states and invoices of a subscription belong to one timeline, whatever its metadata says later.
    select user_id into v_user from subscriptions where stripe_subscription_id = p_identity ->> 'subscriptionId';
    v_user := coalesce(v_user, v_named, v_payer);
  end if;
  if v_user is not null then
    return jsonb_build_object('userId', v_user, 'payment', null,
      'isChosen', v_named is distinct from v_user and (v_payer is distinct from v_user or v_isChosen));
  end if;
  return jsonb_build_object('userId', null, 'isPayment', false,
    'references', coalesce((
      select jsonb_agg(u) from (
        select distinct rowloom.user_find(r) as u from jsonb_array_elements_text(p_identity -> 'references') r) named
        where u is not null), '[]'),
    'emails', coalesce((
      select jsonb_agg(id) from users where lower(email collate "C") = v_email and email_verified), '[]'),
    'waitsFor', to_jsonb(array_remove(
      array(select jsonb_array_elements_text(p_identity -> 'userIds'))
        || array(select jsonb_array_elements_text(p_identity -> 'references'))
        || array[v_email, v_customer, p_identity ->> 'subscriptionId'], null)));
end $$;
