import type { Pool } from 'pg';
import { expect } from 'vitest';
import { auditOf, type StoredBooks } from '../../functions/ledger/audit.pure.ts';
import type { Lot } from '../../functions/ledger/books.pure.ts';
import { differenceOf } from '../../functions/ledger/difference.pure.ts';
import type { Timeline } from '../../functions/ledger/timeline.pure.ts';
import type { Standing } from '../../functions/ledger/entitlement.pure.ts';
import {
  standingOfRow,
  type SubscriptionRow,
} from '../../functions/ledger/subscription-row.pure.ts';

/** Each is a query that finds nothing in sound books. */
const ledgerFaults: Record<string, string> = {
  'the sum of the entries is the balance, never below zero': `
    select u.id, u.credits_balance, coalesce(sum(e.amount), 0) as entries
      from users u left join credit_entries e on e.user_id = u.id
      group by u.id having u.credits_balance <> coalesce(sum(e.amount), 0) or u.credits_balance < 0`,
  'every balance_after chains': `
    select * from (
        select id, balance_after, sum(amount) over (partition by user_id order by id) as running
          from credit_entries) chain
      where running <> balance_after or balance_after < 0`,
  'an entry is the sum of its movements': `
    select e.id, e.amount, m.moved from credit_entries e
      cross join lateral (select coalesce(sum(value::bigint), 0) as moved from jsonb_each_text(e.movements)) m
      where e.amount <> m.moved`,
  'what moved a lot sums up to what remains of it': `
    select user_id, key, coalesce(l.remaining, 0) as remaining, coalesce(m.moved, 0) as moved
      from credit_lots l
      full join (
        select e.user_id, x.key, sum(x.value::bigint) as moved
          from credit_entries e, jsonb_each_text(e.movements) x group by 1, 2) m using (user_id, key)
      where coalesce(l.remaining, 0) <> coalesce(m.moved, 0)`,
  'the lots of a kind add up to its column': `
    select u.id, u.credits_plan, u.credits_bonus, u.credits_purchased
      from users u left join credit_lots l on l.user_id = u.id
      group by u.id
      having u.credits_plan <> coalesce(sum(l.remaining) filter (where l.kind = 'plan'), 0)
        or u.credits_bonus <> coalesce(sum(l.remaining) filter (where l.kind = 'bonus'), 0)
        or u.credits_purchased <> coalesce(sum(l.remaining) filter (where l.kind = 'purchased'), 0)`,
  'what is held is what the holds took': `
    select u.id, u.credits_held, h.taken from users u
      cross join lateral (
        select coalesce(sum((take ->> 1)::bigint), 0) as taken
          from credit_holds h, jsonb_array_elements(h.takes) take where h.user_id = u.id) h
      where u.credits_held <> h.taken`,
};

const jobFaults: Record<string, string> = {
  'a job counts what its chunks count': `
    select j.id, j.rows_succeeded, j.rows_failed, c.* from jobs j
      cross join lateral (
        select sum(rows_succeeded) as succeeded, sum(rows_failed) as failed, sum(rows_skipped) as skipped,
            sum(row_count) as total
          from job_chunks where job_id = j.id) c
      where j.run > 0 and j.purged_at is null
        and (j.rows_succeeded <> c.succeeded or j.rows_failed <> c.failed or j.rows_total <> c.total
          or j.rows_skipped <> c.skipped)`,
  'a chunk counts what its results say': `
    select c.job_id, c.index, c.status, c.todo, c.rows_succeeded, r.* from job_chunks c
      join jobs j on j.id = c.job_id
      cross join lateral (
        select count(*) filter (where n < json_array_length(coalesce(c.results, '[]'))) as all,
            count(*) filter (where n = any(c.todo) is not true
              and coalesce(r -> 'before' ->> 'status', r ->> 'status') = 'ok') as ok,
            count(*) filter (where r ->> 'status' = 'skipped' or j.skips_duplicates and r ->> 'status' is null
              and exists (select 1 from json_array_elements(c.duplicates) d where (d ->> 0)::integer = n)) as skipped
          from (select n, c.results -> n as r from generate_series(0, c.row_count - 1) n) rows) r
      where c.results is not null and c.row_count <> r.all or c.rows_succeeded <> r.ok or c.rows_skipped <> r.skipped`,
  'a job charges what its runs did not give back, and holds while it runs': `
    select j.id, j.status, j.credits_charged, j.credits_held, f.* from jobs j
      cross join lateral (
        select
            coalesce(sum((h.body ->> 'credits')::bigint - (r.body ->> 'credits')::bigint)
              filter (where r.key is not null and not exists (
                select 1 from credit_entries e where e.fact_key = r.key and e.kind = 'usage')), 0) as spent,
            coalesce(sum((h.body ->> 'credits')::bigint) filter (where r.key is null and not exists (
                select 1 from credit_holds o where o.key = h.key and o.is_usage)), 0) as held
          from credit_facts h
          left join credit_facts r on r.kind = 'release' and r.body ->> 'hold' = h.key
          where h.kind = 'hold' and h.user_id = j.user_id and h.body ->> 'job' = j.id::text) f
      where j.credits_charged <> f.spent or j.credits_held <> f.held
        or (not j.run_open and j.credits_held <> 0)`,
  'an entry of a release says what its run was charged': `
    select e.id, e.details, h.body ->> 'credits' as held, r.body ->> 'credits' as back
      from credit_entries e
      join credit_facts r on r.key = e.fact_key and r.kind = 'release'
      join credit_facts h on h.key = r.body ->> 'hold'
      where e.kind = 'release' and (e.details ->> 'charged')::bigint
        is distinct from (h.body ->> 'credits')::bigint - (r.body ->> 'credits')::bigint`,
  'what is charged is the rows that succeeded, at the price of their run': `
    select id, rows_succeeded, credits_charged from jobs
      where run = 1 and metered and (status in ('completed', 'failed')
          or status = 'cancelled' and settings_version <= 2)
        and credits_charged <> rows_succeeded * credits_per_row`,
};

/** Facts whose columns are not what their body says. */
const factFaults = `
  select key from credit_facts where body ->> 'key' <> key or body ->> 'kind' <> kind
    or at <> to_timestamp((body ->> 'atUs')::bigint / 1000000.0)`;

type Stored = {
  timeline: Timeline;
  shortfall: number;
  lots: Omit<Lot, 'lapsed' | 'cut'>[];
  subscriptions: SubscriptionRow[];
};

/** Settled users: what a job's end left to the next fold is not in the books yet. */
const storedBooks = `
  select rowloom.ledger_read(u.id) as timeline, u.credits_shortfall::int8::float8 as shortfall,
      (select coalesce(jsonb_agg(jsonb_build_object('key', l.key, 'kind', l.kind, 'subscription', l.subscription,
          'payment', l.payment, 'opened', l.opened, 'granted', l.granted, 'remaining', l.remaining,
          'isExpired', l.is_expired)), '[]') from credit_lots l where l.user_id = u.id) as lots,
      (select coalesce(jsonb_agg(to_jsonb(s)), '[]') from subscriptions s where s.user_id = u.id) as subscriptions
    from users u where u.stale_since is null`;

/** Every month that is due has been granted: nothing but a fact or its day changes the books. */
const dayAfterAll = Date.UTC(2200, 0, 1) * 1000;

const byKey = (a: { key: string }, b: { key: string }): number => (a.key < b.key ? -1 : 1);
const bySubscription = (a: Standing, b: Standing): number =>
  a.subscription < b.subscription ? -1 : 1;

/** A user's books as they are stored, and as the fold of the stored facts has them. */
export function bothBooks({ timeline, shortfall, lots, subscriptions }: Stored) {
  const { books, folded, isDifferent } = differenceOf(timeline, timeline.facts, {
    nowUs: (timeline.nextDueUs ?? dayAfterAll) - 1,
    told: [],
  });
  const { plan, bonus, purchased, held, shortfall: missing } = books.totals;
  const stored = {
    changes: [] as unknown[],
    lots: lots.toSorted(byKey),
    balance: timeline.balance,
    held: timeline.held,
    shortfall,
    holds: timeline.holds.toSorted(byKey),
    standings: subscriptions.map(standingOfRow).toSorted(bySubscription),
  };
  const fold: typeof stored = {
    changes: isDifferent ? [books.lots, books.goneLots, books.suspended, books.nextDueUs] : [],
    lots: folded.books.lots.map(({ lapsed: _lapsed, cut: _cut, ...lot }) => lot).toSorted(byKey),
    balance: plan + bonus + purchased,
    held,
    shortfall: missing,
    holds: books.holds.map(({ credits: _credits, ...hold }) => hold).toSorted(byKey),
    standings: folded.subscriptions.standings().toSorted(bySubscription),
  };
  return { stored, fold };
}

/** The stored books are what the facts come to: lots, holds, totals, where each subscription stands. */
export async function assertBooksAreTheFold(pool: Pool): Promise<void> {
  const all = await pool.query<{ books: StoredBooks }>(
    'select rowloom.books_read(id) as books from users',
  );
  for (const { books } of all.rows) {
    const nowUs = (books.timeline.nextDueUs ?? dayAfterAll) - 1;
    // A fact may have been told with other numbers: that is news, and no fault of the books.
    const faults = auditOf(books, nowUs)?.details.filter(({ kind }) => kind !== 'fact') ?? [];
    expect(faults, `the audit finds nothing wrong with ${books.timeline.userId}`).toEqual([]);
  }
  const { rows } = await pool.query<Stored>(storedBooks);
  for (const row of rows) {
    const { stored, fold } = bothBooks(row);
    expect(stored, `the books of ${row.timeline.userId} are the fold of the facts`).toEqual(fold);
  }
}

/**
 * What an auditor would check of every user: the ledger sums up to the balance, chains and explains each
 * lot; lots add up to the user's columns; the stored books are the fold of the facts; a job counts what
 * its chunks count, and charges and holds what its runs did.
 */
export async function assertBooksHold(pool: Pool): Promise<void> {
  for (const [rule, text] of Object.entries({
    ...ledgerFaults,
    ...jobFaults,
    'a fact is where its body says': factFaults,
  }))
    expect((await pool.query<Record<string, unknown>>(text)).rows, rule).toEqual([]);
  await assertBooksAreTheFold(pool);
}
