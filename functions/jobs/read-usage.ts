import type { Ctx } from '../context.ts';
import { DomainError } from '../errors.ts';
import { findUser } from '../ledger/find-user.ts';
import { unpricedModels } from '../providers/prices.pure.ts';
import { pageOf } from '../shared/page.pure.ts';
import { isoOrNull } from '../shared/time.pure.ts';
import type { JobStatus } from './job-row.ts';

/** What jobs took, as the database sums it up; `costMicros`: millionths of a US dollar. */
type Sums = {
  succeeded: number;
  failed: number;
  tokensIn: number;
  tokensOut: number;
  searches: number;
  cachedSearches: number;
  messages: number;
  costMicros: number;
  creditsCharged: number;
};

/** `over` is what each column stands in: itself, or a sum. */
const sums = (over: (column: string) => string): string =>
  Object.entries({
    succeeded: 'rows_succeeded',
    failed: 'rows_failed',
    tokensIn: 'tokens_in',
    tokensOut: 'tokens_out',
    searches: 'searches',
    cachedSearches: 'searches_cached',
    messages: 'queue_messages',
    costMicros: 'cost_micros',
    creditsCharged: 'credits_charged',
  } satisfies Record<keyof Sums, string>)
    .map(([name, column]) => `${over(column)} as "${name}"`)
    .join(', ');

/** What was used, with what it cost in US dollars, to the millionth. */
const usageView = ({ succeeded, failed, costMicros, creditsCharged, ...used }: Sums) => ({
  rows: { succeeded, failed },
  ...used,
  cost: { amount: costMicros / 1_000_000, currency: 'usd' as const },
  creditsCharged,
});

const dayMs = 86_400_000;
/** As many days as are shown when none is named, and at most. */
const usualDays = 30;
const mostDays = 366;

const dayOf = (ms: number): string => new Date(ms).toISOString().slice(0, 10);

/** The days from `from` to `to`, the last 30 where they are not named. Throws `invalid_request`. */
function daysOf(input: { from?: string | undefined; to?: string | undefined }, now: Date) {
  const to = input.to ?? dayOf(now.getTime());
  const from = input.from ?? dayOf(Date.parse(to) - (usualDays - 1) * dayMs);
  const days = (Date.parse(to) - Date.parse(from)) / dayMs + 1;
  if (days >= 1 && days <= mostDays) return { from, to };
  const message = days < 1 ? 'is after `to`' : `is too early: ${mostDays} days at most`;
  throw new DomainError('invalid_request', 'Some fields do not fit.', {
    extra: { errors: [{ field: 'from', message }] },
  });
}

type DayRow = Sums & { day: string; userId: string; jobs: number };

/**
 * What jobs took, by user and day, newest day first: a job with all its runs on the UTC day on which the last of
 * them began, deleted ones too. `from`, `to`: days like `2026-11-22`, both included; the last 30 unless said
 * otherwise, 366 at most. The cursor is day and user of the last item of the page before. Without `user` the
 * table of jobs is scanned. Throws `not_found` for a user who is none, `invalid_request` for other days.
 */
export async function listUsage(
  ctx: Ctx,
  input: {
    from?: string | undefined;
    to?: string | undefined;
    user?: string | undefined;
    limit: number;
    cursor?: { day: string; userId: string } | undefined;
  },
) {
  const { user, limit, cursor } = input;
  const { from, to } = daysOf(input, ctx.now());
  const userId = user === undefined ? null : await findUser(ctx, user);
  const rows = await ctx.db.rows<{ used: DayRow }>(
    `select to_jsonb(u) as used from (
        select d.day, user_id as "userId", count(*) as jobs, ${sums((column) => `sum(${column})`)}
          from jobs, lateral (select (started_at at time zone 'UTC')::date as day) d
          where started_at >= $1::date::timestamp at time zone 'UTC'
            and started_at < (least($2::date, $4::date) + 1)::timestamp at time zone 'UTC'
            and ($3::uuid is null or user_id = $3)
            and (d.day is distinct from $4::date or user_id > $5::uuid)
          group by d.day, user_id order by d.day desc, user_id limit $6) u
      order by u.day desc, u."userId"`,
    [from, to, userId, cursor?.day ?? null, cursor?.userId ?? null, limit + 1],
  );
  const { page, nextCursor } = pageOf(rows, limit, ({ used }) => `${used.day}~${used.userId}`);
  return {
    items: page.map(({ used: { day, userId: of, jobs, ...used } }) => ({
      day,
      userId: of,
      jobs,
      ...usageView(used),
    })),
    nextCursor,
    unpricedModels: unpricedModels(ctx.config.models, ctx.config.prices),
  };
}

type JobUsageRow = Sums & {
  jobId: string;
  userId: string;
  status: JobStatus;
  startedAt: string | null;
};

/** What one job took over all its runs, deleted or not. Throws `not_found`. */
export async function readJobUsage(ctx: Ctx, { jobId }: { jobId: string }) {
  const [row] = await ctx.db.rows<{ used: JobUsageRow }>(
    `select to_jsonb(u) as used from (
        select id as "jobId", user_id as "userId", status, started_at as "startedAt", ${sums(String)}
          from jobs where id = $1) u`,
    [jobId],
  );
  if (!row) throw new DomainError('not_found', 'There is no such job.');
  const { jobId: id, userId, status, startedAt, ...used } = row.used;
  return { jobId: id, userId, status, startedAt: isoOrNull(startedAt), ...usageView(used) };
}
