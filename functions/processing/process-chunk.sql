-- Takes the lease on a chunk. p_free_rows: rows of a user that nobody need pay for in a day.
-- → {outcome: leased, chunk {rows, results, fruitlessLeases, revision}, job {…}, open: providers that nobody
-- calls for now, spent: as many of the user's rows as may be are unpaid today {code, limit, used} or null}
--   | {outcome: done | gone} | {outcome: busy, retryAfterSeconds}
create function rowloom.chunk_lease(
  p_job uuid, p_run integer, p_index integer, p_token uuid, p_seconds integer, p_free_rows integer
) returns json language plpgsql as $$
declare
  c job_chunks%rowtype;
  j jobs%rowtype;
begin
  select * into j from jobs where id = p_job;
  if not found or j.status <> 'running' or j.run <> p_run or j.cancel_at is not null or j.pause_at is not null then
    return '{"outcome":"gone"}';
  end if;
  update job_chunks set lease_token = p_token, fruitless_leases = fruitless_leases + 1,
      lease_until = clock_timestamp() + p_seconds * interval '1 second'
    where job_id = p_job and index = p_index and status = 'pending' and (todo is not null or j.returns_to is null)
      and (lease_until is null or lease_until < clock_timestamp())
    returning * into c;
  if found and not exists (select 1 from jobs where id = p_job and status = 'running' and run = p_run
      and cancel_at is null and pause_at is null) then
    -- It was stopped while this lease waited for its chunk.
    update job_chunks set lease_token = null, lease_until = null, fruitless_leases = fruitless_leases - 1
      where job_id = p_job and index = p_index and lease_token = p_token;
    return '{"outcome":"gone"}';
  end if;
  if c.lease_token = p_token then
    return json_build_object('outcome', 'leased',
      'chunk', json_build_object('rows', c.rows, 'results', c.results, 'fruitlessLeases', c.fruitless_leases, 'revision', c.revision,
        'todo', c.todo, 'duplicates', case when j.skips_duplicates then c.duplicates end),
      'job', json_build_object('userId', j.user_id, 'rowsTotal', j.rows_total, 'rowsKept', j.rows_kept,
        'rowsSkipped', j.rows_skipped, 'header', j.header, 'columns', j.columns, 'prompt', j.prompt,
        'processor', j.processor, 'needsSearch', j.needs_search,
        'options', j.options, 'sender', j.sender, 'startedAt', j.started_at, 'generation', rowloom.run_generation(j), 'settingsVersion', j.settings_version),
      'open', rowloom.providers_open(), 'spent', rowloom.failed_rows_refusal(j.user_id, p_free_rows));
  end if;
  select * into c from job_chunks where job_id = p_job and index = p_index;
  if not found then
    return '{"outcome":"gone"}';
  elsif c.status = 'done' or c.todo is null and j.returns_to is not null then
    return '{"outcome":"done"}';
  end if;
  return json_build_object('outcome', 'busy',
    'retryAfterSeconds', greatest(1, ceil(extract(epoch from c.lease_until - clock_timestamp()))));
end $$;

-- Commits a chunk's results with the job's counters; the last one ends the job. p_results has one
-- element a row, null for those still to be worked; p_succeeded and p_failed count it. A chunk with rows
-- left stays pending, free for the next delivery; p_todo: those, of a run of chosen rows; p_reverted: rows that
-- count as succeeded by what they had before, which this run has not bettered; p_waited: that it got nowhere is nobody's failure.
-- p_lease_seconds: it is still being worked, by the same holder. p_commit: names this commit and takes the
-- token's place, so that the same one again changes nothing. p_usage: what the rows took since the last
-- commit, whatever becomes of the results; rowsFaulty of them have failed by their own fault, rowsAnswered have
-- succeeded, rowsCut were given up while a model was asked: what nobody pays for counts in the user's day, of a run that its
-- user ended a fourth: to cancel once is no abuse.
-- p_given_up: the rest has waited for a provider in vain. → {outcome: committed | stale | gone, status}. Only the
-- holder of the lease may commit.
create function rowloom.chunk_commit(
  p_job uuid, p_run integer, p_index integer, p_token uuid, p_commit uuid, p_results json, p_succeeded integer,
  p_failed integer, p_usage jsonb, p_waited boolean default false, p_lease_seconds integer default 0,
  p_given_up boolean default false, p_todo integer[] default null, p_reverted integer default 0
) returns json language plpgsql as $$
declare
  j jobs%rowtype;
  v_runs boolean;
  v_succeeded integer;
  v_failed integer;
  v_unpaid integer := coalesce((p_usage ->> 'rowsFaulty')::integer, 0);
  v_answered integer := coalesce((p_usage ->> 'rowsAnswered')::integer, 0);
  v_cut integer := coalesce((p_usage ->> 'rowsCut')::integer, 0);
  v_status text;
begin
  select * into j from jobs where id = p_job for update;
  if not found then
    return '{"outcome":"gone"}';
  end if;
  -- A resume goes on with leases from before it.
  v_runs := rowloom.has_run(j) and p_run between rowloom.run_generation(j) and j.run;
  update job_chunks c set results = p_results, rows_succeeded = p_succeeded, rows_failed = p_failed,
      todo = case when p_todo <> '{}' then p_todo end,
      status = case when p_succeeded + p_failed + c.rows_skipped = c.row_count then 'done' else 'pending' end,
      fruitless_leases = case when p_waited or p_succeeded + p_failed > before.rows_succeeded + before.rows_failed
        then 0 else c.fruitless_leases end,
      revision = c.revision + (p_lease_seconds = 0)::integer,
      lease_token = p_commit,
      lease_until = case when p_lease_seconds > 0 then clock_timestamp() + p_lease_seconds * interval '1 second' end
    from (select rows_succeeded, rows_failed from job_chunks
            where job_id = p_job and index = p_index for update) before
    where v_runs and c.job_id = p_job and c.index = p_index and c.status = 'pending' and c.lease_token = p_token
      and p_succeeded >= before.rows_succeeded and p_failed >= before.rows_failed
      and json_array_length(p_results) = c.row_count
      -- What a pause has not held for is not taken.
      and (j.status = 'running' or p_succeeded + p_failed - before.rows_succeeded - before.rows_failed
        <= j.rows_total - j.rows_skipped - j.rows_kept - j.run_succeeded - j.run_failed)
    returning p_succeeded - before.rows_succeeded, p_failed - before.rows_failed into v_succeeded, v_failed;
  if found then
    if p_given_up then
      update jobs set given_up = true where id = p_job;
    end if;
    v_status := rowloom.job_advance(p_job, v_succeeded, v_failed, p_usage, p_reverted);
    if v_status = 'paused' then
      perform rowloom.job_drained(p_job);
    end if;
    if j.cancel_at is not null then
      v_unpaid := v_unpaid + (v_cut + 3) / 4;
    end if;
    perform rowloom.user_day_add(j.user_id, rowloom.utc_day(clock_timestamp()), v_succeeded, v_unpaid, 0);
    return json_build_object('outcome', 'committed', 'status', v_status, 'run', j.run);
  elsif exists (select 1 from job_chunks where job_id = p_job and index = p_index and lease_token = p_commit) then
    return json_build_object('outcome', 'committed', 'status', j.status, 'run', j.run);
  end if;
  -- Nobody takes the results; they were paid for, and not by the user who has ended the run.
  if j.status in ('cancelled', 'paused', 'ready', 'awaiting_credits') and not v_runs
      or p_run not between rowloom.run_generation(j) and j.run then
    v_unpaid := v_unpaid + (v_answered + v_cut + 3) / 4;
    update job_chunks set lease_token = p_commit where job_id = p_job and index = p_index and lease_token = p_token;
  end if;
  perform rowloom.job_advance(p_job, 0, 0, p_usage);
  perform rowloom.user_day_add(j.user_id, rowloom.utc_day(clock_timestamp()), 0, v_unpaid, 0);
  return json_build_object('outcome', case when v_runs then 'stale' else 'gone' end);
end $$;

-- Adds finished rows, and what they took, to a locked job and ends its run with the last one. → the job's status
create function rowloom.job_advance(p_job uuid, p_succeeded integer, p_failed integer, p_usage jsonb default '{}', p_reverted integer default 0)
returns text language plpgsql as $$
declare
  j jobs%rowtype;
  v_chosen boolean;
  v_left boolean;
begin
  update jobs set rows_succeeded = rows_succeeded + p_succeeded, rows_failed = rows_failed + p_failed,
      rows_done = rows_done + p_succeeded + p_failed, run_succeeded = run_succeeded + p_succeeded - p_reverted,
      run_failed = run_failed + p_failed + p_reverted, progress_at = clock_timestamp(),
      tokens_in = tokens_in + coalesce((p_usage ->> 'tokensIn')::bigint, 0),
      tokens_out = tokens_out + coalesce((p_usage ->> 'tokensOut')::bigint, 0),
      searches = searches + coalesce((p_usage ->> 'searches')::integer, 0),
      searches_cached = searches_cached + coalesce((p_usage ->> 'searchesCached')::integer, 0),
      queue_messages = queue_messages + coalesce((p_usage ->> 'queueMessages')::integer, 0),
      cost_micros = cost_micros + coalesce((p_usage ->> 'costMicros')::bigint, 0)
    where id = p_job returning * into j;
  v_chosen := j.returns_to is not null;
  v_left := case when v_chosen then exists (select 1 from job_chunks where job_id = p_job and todo is not null)
    else j.rows_done < j.rows_total end;
  if not rowloom.has_run(j) then
    return j.status;
  elsif v_left then
    -- A pause has held for what was being worked, and that is done.
    if j.status = 'paused' and j.run_succeeded + j.run_failed >= j.rows_total - j.rows_skipped - j.rows_kept then
      perform rowloom.job_end(p_job, 'paused');
    end if;
    return j.status;
  elsif v_chosen and (rowloom.is_sample(j) or j.rows_done < j.rows_total) then
    perform rowloom.job_end(p_job, j.returns_to);
    return j.returns_to;
  elsif j.rows_succeeded > 0 then
    perform rowloom.job_end(p_job, 'completed');
    return 'completed';
  end if;
  -- Nothing could be worked: what most rows say is why.
  perform rowloom.job_end(p_job, 'failed', (
    select r ->> 'error' from job_chunks c, json_array_elements(c.results) r
      where c.job_id = p_job and r ->> 'status' = 'error' group by 1 order by count(*) desc, 1 limit 1));
  return 'failed';
end $$;
