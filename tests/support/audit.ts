import type { Pool } from 'pg';
import { expect } from 'vitest';

/**
 * What an auditor would check of every user: the ledger sums up to the balance and chains, never below
 * zero; every entry is the sum of its movements; every lot holds what its movements left; the lots of
 * a kind add up to the user's column; a job charges what the ledger took
 * for it, the rows that are ok, and counts what its chunks count;
 * what is held is what running jobs hold (`holds: false` where a test holds credits without a job).
 */
export async function audit(pool: Pool, options = { holds: true }): Promise<void> {
  const faults = async (text: string) => (await pool.query<Record<string, unknown>>(text)).rows;
  expect(
    await faults(`select u.id, u.credits_balance, coalesce(sum(e.amount), 0)::int as ledger
      from users u left join credit_entries e on e.user_id = u.id
      group by u.id having u.credits_balance <> coalesce(sum(e.amount), 0) or u.credits_balance < 0`),
    'sum of the ledger = balance',
  ).toEqual([]);
  expect(
    await faults(`select * from (
        select id, balance_after, sum(amount) over (partition by user_id order by id) as running from credit_entries
      ) chain where running <> balance_after or balance_after < 0`),
    'every balance_after chains',
  ).toEqual([]);
  expect(
    await faults(`select e.id, e.amount, sum(m.amount) from credit_entries e
      left join credit_movements m on m.entry_id = e.id
      group by e.id having e.amount <> coalesce(sum(m.amount), 0)`),
    'an entry is the sum of its movements',
  ).toEqual([]);
  expect(
    await faults(`select l.id, l.remaining, sum(m.amount) from credit_lots l
      left join credit_movements m on m.lot_id = l.id
      group by l.id having l.remaining <> coalesce(sum(m.amount), 0)
        or (l.kind = 'plan' and l.lapsed_at is not null and l.remaining > 0)`),
    'a lot holds what its movements left; a closed one nothing',
  ).toEqual([]);
  expect(
    await faults(`select u.id, u.credits_plan, u.credits_bonus, u.credits_purchased from users u
      left join credit_lots l on l.user_id = u.id group by u.id
      having u.credits_plan <> coalesce(sum(l.remaining) filter (where l.kind = 'plan'), 0)
        or u.credits_bonus <> coalesce(sum(l.remaining) filter (where l.kind = 'bonus'), 0)
        or u.credits_purchased <> coalesce(sum(l.remaining) filter (where l.kind = 'purchased'), 0)`),
    'lots add up to the columns',
  ).toEqual([]);
  expect(
    await faults(`select j.id, j.rows_succeeded, j.rows_failed, c.* from jobs j
      cross join lateral (
        select sum(rows_succeeded) as succeeded, sum(rows_failed) as failed, sum(row_count) as total
          from job_chunks where job_id = j.id) c
      where j.attempt > 0 and j.purged_at is null
        and (j.rows_succeeded <> c.succeeded or j.rows_failed <> c.failed or j.rows_total <> c.total)`),
    'a job counts what its chunks count',
  ).toEqual([]);
  expect(
    await faults(`select c.job_id, c.index, c.rows_succeeded, r.ok from job_chunks c
      cross join lateral (
        select count(*) as all, count(*) filter (where r ->> 'status' = 'ok') as ok
          from json_array_elements(c.results) r) r
      where c.results is not null and (c.rows_succeeded <> r.ok or c.row_count <> r.all)`),
    'a chunk counts what its results say',
  ).toEqual([]);
  expect(
    await faults(`select j.id, j.credits_charged, j.credits_held, e.spent from jobs j
      cross join lateral (
        select coalesce(-sum(amount + coalesce((details ->> 'lapsed')::integer, 0)), 0) as spent
          from credit_entries where job_id = j.id) e
      where j.credits_charged + j.credits_held <> e.spent
        or (j.status <> 'running' and j.credits_held <> 0)`),
    'a job charges and holds what the ledger took for it',
  ).toEqual([]);
  expect(
    await faults(`select id, rows_succeeded, credits_charged from jobs
      where attempt = 1 and metered and status <> 'running'
        and credits_charged <> rows_succeeded * credits_per_row`),
    'credits charged = rows that are ok, at the price of their attempt',
  ).toEqual([]);
  if (!options.holds) return;
  expect(
    await faults(`select u.id, u.credits_held, sum(j.credits_held) from users u left join jobs j on j.user_id = u.id
      group by u.id having u.credits_held <> coalesce(sum(j.credits_held), 0)`),
    'held = what running jobs hold',
  ).toEqual([]);
}
