-- Turns what is left of a job's chunks into error rows; changes nothing of those that are done or that somebody
-- holds a lease on. p_index: only that chunk, unless some of it was committed after p_revision: its rest has a
-- message of its own. p_given_up: they have waited for a provider in vain. p_fruitless: only those that lost so
-- many leases.
create function rowloom.chunks_fail(
  p_job uuid, p_run integer, p_reason text, p_index integer default null, p_revision integer default null,
  p_given_up boolean default false, p_fruitless integer default null
) returns json language plpgsql as $$
declare
  j jobs%rowtype;
  v_failed integer;
  v_reverted integer;
begin
  select * into j from jobs where id = p_job for update;
  if not found or j.status <> 'running' or j.run <> p_run then
    return '{"outcome":"gone"}';
  end if;
  with failed as (
    update job_chunks c set todo = null, lease_token = null, lease_until = null, results = n.results,
        rows_succeeded = c.rows_succeeded + n.reverted, rows_failed = c.rows_failed + n.failed - n.reverted,
        status = case when c.rows_succeeded + c.rows_failed + c.rows_skipped + n.failed = c.row_count
          then 'done' else 'pending' end
      from (select index from job_chunks
              where job_id = p_job and (p_index is null or index = p_index) and status = 'pending'
                and (todo is not null or j.returns_to is null)
              order by index for update) before
        join job_chunks k on k.job_id = p_job and k.index = before.index
        cross join lateral rowloom.results_failed(k, j, p_reason) n
      where c.job_id = p_job and c.index = before.index and c.status = 'pending'
        and (p_revision is null or c.revision = p_revision)
        and (p_fruitless is null or c.fruitless_leases >= p_fruitless)
        and (c.lease_until is null or c.lease_until < clock_timestamp())
      returning n.reverted, n.failed - n.reverted as rows)
  select sum(reverted), sum(rows) into v_reverted, v_failed from failed;
  if v_failed is null then
    return '{"outcome":"stale"}';
  end if;
  if p_given_up then
    update jobs set given_up = true where id = p_job;
  end if;
  return json_build_object('outcome', 'committed',
    'status', rowloom.job_advance(p_job, v_reverted, v_failed, '{}', v_reverted), 'userId', j.user_id,
    'notifies', j.options ->> 'notifyUrl' is not null);
end $$;

-- A chunk's results when its rows that are still to be worked have failed for p_reason; one that had succeeded before
-- keeps what it had, and is counted as reverted.
create function rowloom.results_failed(
  c job_chunks, j jobs, p_reason text, out results json, out failed integer, out reverted integer
) language sql stable as $$
  select json_agg(case
        when not is_open then r
        when rowloom.result_status(r) = 'ok' then json_build_object('status', 'ok',
          'cells', standing -> 'cells', 'version', standing -> 'version', 'note', 'kept from an earlier run: ' || p_reason)
        -- What failed before says more of it.
        when rowloom.result_status(r) = 'error' then standing
        else json_build_object('status', 'error', 'error', p_reason, 'run', rowloom.run_generation(j)) end order by i),
      count(*) filter (where is_open)::integer,
      count(*) filter (where is_open and rowloom.result_status(r) = 'ok')::integer
    from (
      select i, r, case r ->> 'status' when 'begun' then r -> 'before' else r end as standing,
          case when c.todo is not null then i = any(c.todo)
            else coalesce(rowloom.result_status(r), '') not in ('ok', 'skipped')
              and not (coalesce(r ->> 'status', '') = 'error' and (r ->> 'run')::integer = rowloom.run_generation(j))
              and not (j.skips_duplicates and r ->> 'status' is null and exists (
                select 1 from json_array_elements(c.duplicates) d where (d ->> 0)::integer = i)) end as is_open
        from (select i, c.results -> i as r from generate_series(0, c.row_count - 1) i) rows
    ) judged
$$;
