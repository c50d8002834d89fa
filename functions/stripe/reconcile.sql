-- What the books know of a page of Stripe's objects, in one round trip: facts by key, the newest state of
-- subscriptions, payments by their ids and whether these are told already, customers and whether somebody chose
-- them, prices and product names as they are stored.
-- → {facts: {key: body}, states: {id: newest body}, allStates: {id: [body]} of p_paid, subscriptions: [id], refs: {ref: [payment, isTold]},
--   customers: {id: isChosen}, prices: {id: row}, products: {id: name}}
create function rowloom.reconcile_known(
  p_keys text[], p_subscriptions text[], p_refs text[], p_customers text[], p_prices text[], p_products text[],
  p_paid text[]
) returns jsonb
language sql stable as $$
  select jsonb_build_object(
    'facts', (select coalesce(jsonb_object_agg(key, body), '{}') from credit_facts where key = any(p_keys)),
    'states', (
      select coalesce(jsonb_object_agg(s.stripe_subscription_id, f.body), '{}') from subscriptions s
        join credit_facts f on f.user_id = s.user_id and f.position = s.state_position
        where s.stripe_subscription_id = any(p_subscriptions)),
    'allStates', (
      select coalesce(jsonb_object_agg(id, states), '{}') from (
        select s.stripe_subscription_id as id, jsonb_agg(f.body order by f.position) as states from subscriptions s
          join credit_facts f on f.user_id = s.user_id and f.kind = 'state'
            and f.body ->> 'subscription' = s.stripe_subscription_id
          where s.stripe_subscription_id = any(p_paid) group by 1) x),
    'subscriptions', (
      select coalesce(jsonb_agg(stripe_subscription_id), '[]') from subscriptions
        where stripe_subscription_id = any(p_subscriptions)),
    'refs', (
      select coalesce(jsonb_object_agg(r.ref, jsonb_build_array(r.payment, f.key is not null)), '{}')
        from payment_refs r left join credit_facts f on f.key = r.payment where r.ref = any(p_refs)),
    'customers', (
      select coalesce(jsonb_object_agg(customer_id, is_chosen), '{}') from stripe_customers
        where customer_id = any(p_customers)),
    'prices', (
      select coalesce(jsonb_object_agg(price_id, to_jsonb(p)), '{}') from stripe_prices p where price_id = any(p_prices)),
    'products', (
      select coalesce(jsonb_object_agg(p.product_id, coalesce(n.name, p.name)), '{}') from stripe_prices p
        left join stripe_products n using (product_id) where p.product_id = any(p_products)))
$$;

-- Writes what was read from Stripe instead of sent: as stripe_event_post_fold, and whatever waits for one of
-- p -> 'wakes' is tried again.
create function rowloom.stripe_reading_post(p jsonb, p_user uuid, p_books jsonb default null) returns json
language plpgsql as $$
declare v json;
begin
  v := rowloom.stripe_event_post_fold(p - 'wakes', p_user, p_books);
  if v ->> 'outcome' = 'stored' then
    perform rowloom.events_wake(array(select jsonb_array_elements_text(p -> 'wakes')));
  end if;
  return v;
end $$;

-- Takes over what Stripe's catalogue says, and wakes what waited for it; gives the catalogue. p as stripe_event_apply
create function rowloom.catalogue_take_over(p jsonb) returns jsonb
language plpgsql as $$
begin
  perform rowloom.stripe_event_apply(p, null);
  perform rowloom.events_wake(array(select jsonb_array_elements_text(p -> 'wakes')));
  return rowloom.catalogue_read();
end $$;
