-- Numbers about the inbox over the last p_hours; the oldest unprocessed event whatever its age.
-- Times are from receipt to the end of processing, waits for a retry included.
create function rowloom.webhook_stats(p_hours integer) returns jsonb
language sql stable as $$
  with recent as (
    select type, status, extract(epoch from processed_at - received_at) * 1000 as ms from stripe_events
      where received_at >= clock_timestamp() - p_hours * interval '1 hour'
  ), statuses as (
    select s.status, count(r.status) as count
      from unnest(array['completed', 'skipped', 'failed', 'pending', 'dismissed']) s (status) left join recent r using (status)
      group by s.status
  ), types as (
    select type, count(*) as count,
        count(*) filter (where status = 'completed') as completed,
        count(*) filter (where status = 'skipped') as skipped,
        count(*) filter (where status = 'failed') as failed,
        count(*) filter (where status = 'pending') as pending,
        count(*) filter (where status = 'dismissed') as dismissed,
        percentile_cont(0.5) within group (order by ms) as p50,
        percentile_cont(0.95) within group (order by ms) as p95
      from recent group by type order by count(*) desc, type limit 200
  ), oldest as (
    select event_id, type, received_at from stripe_events where status in ('pending', 'failed')
      order by received_at, event_id limit 1
  )
  select jsonb_build_object(
    'hours', p_hours,
    'total', (select count(*) from recent),
    'byStatus', (select jsonb_object_agg(status, count) from statuses),
    'types', (
      select coalesce(jsonb_agg(jsonb_build_object(
          'type', type, 'count', count, 'completed', completed, 'skipped', skipped, 'failed', failed,
          'pending', pending, 'dismissed', dismissed,
          'successRate', round((completed + skipped)::numeric / nullif(count - pending, 0), 4),
          'p50Ms', round(p50::numeric, 1), 'p95Ms', round(p95::numeric, 1)
        ) order by count desc, type), '[]') from types),
    'oldestUnprocessed', (
      select jsonb_build_object('eventId', event_id, 'type', type, 'receivedAt', received_at,
        'ageSeconds', floor(extract(epoch from clock_timestamp() - received_at))) from oldest))
$$;
