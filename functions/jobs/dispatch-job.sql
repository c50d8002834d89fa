-- Marks what is published and gives what comes next: pending chunks from p_from on that nobody works, at most
-- p_limit, in order. → {chunks: [{index, revision}], from}; from is where the next call goes on. Null once the
-- run is over.
create function rowloom.job_dispatch(p_job uuid, p_run integer, p_from integer, p_limit integer)
returns jsonb language plpgsql as $$
declare
  v_total integer;
  v_chunks jsonb;
  v_chosen boolean;
  v_next integer;
begin
  update jobs set chunks_dispatched = greatest(chunks_dispatched, p_from), dispatched_at = clock_timestamp()
    where id = p_job and run = p_run and status = 'running'
    returning chunks_total, returns_to is not null into v_total, v_chosen;
  if not found then return null; end if;
  select coalesce(jsonb_agg(jsonb_build_object('index', c.index, 'revision', c.revision) order by c.index), '[]'),
      case when count(*) = p_limit then max(c.index) + 1 else v_total end
    into v_chunks, v_next
    from (select index, revision from job_chunks where job_id = p_job and index >= p_from and status = 'pending' and (todo is not null or not v_chosen)
              and (lease_until is null or lease_until < clock_timestamp())
            order by index limit p_limit) c;
  if v_chunks = '[]' then
    update jobs set chunks_dispatched = v_total where id = p_job;
  end if;
  return jsonb_build_object('chunks', v_chunks, 'from', v_next);
end $$;
