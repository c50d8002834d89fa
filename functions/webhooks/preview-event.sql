-- What applying an event would change, and then does not: the transaction part is undone.
-- → {status, code, entries: [{businessKey, kind, amount, userId}], subscription: whether one would change}
create function rowloom.stripe_event_preview(p_event jsonb, p_decision jsonb, p_options jsonb)
returns jsonb language plpgsql as $$
declare
  v_last bigint;
  v_id text := p_decision -> 'effects' -> 0 ->> 'subscriptionId';
  v_before jsonb;
  v_outcome jsonb;
  v_report jsonb;
begin
  select coalesce(max(id), 0) into v_last from credit_entries;
  select to_jsonb(s) - 'stripe_event_at' - 'stripe_event_rank' into v_before
    from subscriptions s where stripe_subscription_id = v_id;
  begin
    v_outcome := rowloom.stripe_event_apply(p_event, p_decision, p_options);
    select jsonb_build_object('status', v_outcome ->> 'status', 'code', v_outcome ->> 'code',
        'hint', v_outcome ->> 'hint',
        'entries', coalesce((
          select jsonb_agg(jsonb_build_object('businessKey', e.business_key, 'kind', e.kind, 'amount', e.amount,
              'userId', e.user_id) order by e.id)
            from credit_entries e where e.id > v_last and e.details ->> 'eventId' = p_event ->> 'id'), '[]'),
        'subscription', v_before is distinct from (
          select to_jsonb(s) - 'stripe_event_at' - 'stripe_event_rank'
            from subscriptions s where stripe_subscription_id = v_id))
      into v_report;
    raise exception using errcode = 'RL999', message = 'preview', detail = v_report::text;
  exception when sqlstate 'RL999' then
    get stacked diagnostics v_report = pg_exception_detail;
  end;
  return v_report;
end $$;
