-- Creates a job, or finds the one that was made with the same key. → {job, made}; no job: the account is
-- suspended. RL429 too_many_jobs.
create function rowloom.job_create(
  p_user uuid, p_filename text, p_prompt text, p_processor text, p_hash text, p_limit integer,
  p_columns jsonb default null, p_key text default null,
  p_options jsonb default '{}', p_needs_search boolean default true
) returns jsonb language plpgsql as $$
declare
  j jobs%rowtype;
  v_suspended_at timestamptz;
begin
  select suspended_at into v_suspended_at from users where id = p_user for no key update;
  if p_key is not null then
    select * into j from jobs where user_id = p_user and idempotency_key = p_key;
    if found then
      return jsonb_build_object('job', to_jsonb(j), 'made', false);
    end if;
  end if;
  if v_suspended_at is not null then
    return jsonb_build_object('job', null, 'made', false);
  end if;
  perform rowloom.open_jobs_check(p_user, p_limit);
  insert into jobs (user_id, filename, prompt, columns, processor, options, needs_search,
      skips_duplicates, idempotency_key, request_hash)
    values (p_user, p_filename, p_prompt, p_columns, p_processor, p_options, p_needs_search,
      coalesce(p_options ->> 'duplicates' = 'skip', false), p_key, p_hash) returning * into j;
  return jsonb_build_object('job', to_jsonb(j), 'made', true);
end $$;
