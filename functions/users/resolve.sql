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

-- Finds the user of an event, in the contract's order: ids (own or external), Stripe customer,
-- e-mail. Only a verified e-mail is anybody's, and one that several accounts share is nobody's.
-- p_identity: {userIds: text[], customerId: text|null, email: text|null, refs?: text[]}
-- `refs` are ids of a payment: the user is the one who got what it bought, and nobody else.
create function rowloom.user_resolve(p_identity jsonb) returns uuid
language plpgsql stable as $$
declare
  v_candidate text;
  v_user uuid;
  v_matches uuid[];
begin
  if p_identity -> 'refs' is not null then
    select g.user_id into v_user from stripe_payment_refs r join stripe_grants g using (business_key)
      where r.ref in (select jsonb_array_elements_text(p_identity -> 'refs')) limit 1;
    if v_user is null then
      raise exception using errcode = 'RL404', message = 'unknown_payment',
        detail = 'No credits were granted for this payment (yet).';
    end if;
    return v_user;
  end if;
  for v_candidate in select jsonb_array_elements_text(p_identity -> 'userIds') loop
    v_user := rowloom.user_find(v_candidate);
    if v_user is not null then return v_user; end if;
  end loop;

  select id into v_user from users where stripe_customer_id = p_identity ->> 'customerId';
  if v_user is not null then return v_user; end if;

  select array_agg(id) into v_matches
    from users where lower(email) = lower(p_identity ->> 'email') and email_verified;
  if cardinality(v_matches) = 1 then return v_matches[1]; end if;
  if cardinality(v_matches) > 1 then
    raise exception using errcode = 'RL409', message = 'ambiguous_user',
      detail = 'Several accounts have this e-mail address; set metadata.user_id.';
  end if;
  raise exception using errcode = 'RL404', message = 'unknown_user',
    detail = 'No account has this user id, Stripe customer or e-mail address.';
end $$;
