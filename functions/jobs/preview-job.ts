import type { Ctx } from '../context.ts';
import { columnNames } from '../csv/columns.pure.ts';
import { DomainError } from '../errors.ts';
import { entitledNow } from '../ledger/standing.ts';
import type { SubscriptionRow } from '../ledger/subscription-row.pure.ts';
import { shownResult, type StoredResults } from '../processing/chunk.pure.ts';
import type { Brief, RowPlan } from '../processing/processor.ts';
import { processors } from '../processing/processors.ts';
import type { Sender } from '../processing/sender.ts';
import { senderOf } from '../processing/sender-of.pure.ts';
import { type Findings, noFindings } from '../providers/research.ts';
import { cut } from '../shared/text.pure.ts';
import type { JobRow } from './job-row.ts';
import { withRows } from './list-rows.ts';
import { previewWarnings } from './preview-warnings.pure.ts';
import { duplicatesOf, isWorkedAsAsked, shownRow } from './shown-row.pure.ts';

/** Rows that are shown, and the characters of each of their cells. */
const [shownRows, cellCharacters] = [10, 2000];

/** Chunks and stored bytes that are read for them. */
const [readChunks, readBytes] = [10, 1_000_000];

type Chunk = {
  rows: string[][];
  results: StoredResults | null;
  duplicates: [number, number][] | null;
};

type Read = {
  job: JobRow;
  profile: Sender | null;
  balance: number;
  subscriptions: SubscriptionRow[];
  chunks: Chunk[];
};

/** The job, whose it is, and its first chunks with rows that are worked: however many come behind. */
async function read(ctx: Ctx, { userId, jobId }: { userId: string; jobId: string }): Promise<Read> {
  const [found] = await ctx.db.rows<Read>(
    `select to_jsonb(j) as job, u.credits_balance::float8 as balance,
        (select sender from user_profiles p where p.user_id = j.user_id) as profile,
        (select coalesce(jsonb_agg(to_jsonb(s)), '[]') from subscriptions s where s.user_id = j.user_id) as subscriptions,
        (select coalesce(json_agg(json_build_object('rows', rows, 'results', results, 'duplicates', duplicates)
              order by index), '[]')
          from (select index, rows, results, duplicates, row_number() over (order by index) as position,
                  sum(pg_column_size(rows) + coalesce(pg_column_size(results), 0)) over (order by index) as bytes
                from (select * from job_chunks where job_id = j.id and rows_skipped < row_count
                        order by index limit ${readChunks}) c) page
          where position = 1 or bytes < ${readBytes}) as chunks
      from jobs j join users u on u.id = j.user_id
      where j.id = $1 and j.user_id = $2 and j.deleted_at is null`,
    [jobId, userId],
  );
  if (!found) throw new DomainError('not_found', 'There is no such job.');
  return found;
}

/** Rows with content, and whether a start would work them. */
const contentOf = ({ chunks, job }: Read): { row: string[]; isToWork: boolean }[] =>
  chunks.flatMap(({ rows, results, duplicates }) => {
    const sameAs = duplicatesOf(duplicates);
    return rows.flatMap((row, i) => {
      const result = results?.[i];
      if (result?.status === 'skipped') return [];
      const { status } = shownRow(job, result, sameAs.get(i));
      return [{ row, isToWork: status === 'pending' || status === 'error' }];
    });
  });

/** Rows that were sampled otherwise than they would be now: a start leaves them as they are. */
function staleRows({ job, profile, chunks }: Read): number {
  if (job.run === 0 || !['ready', 'awaiting_credits'].includes(job.status)) return 0;
  const results = chunks.flatMap((chunk) => chunk.results ?? []);
  return results.filter((result) => {
    const shown = shownResult(result);
    return shown?.status === 'ok' && !isWorkedAsAsked(job, profile, shown);
  }).length;
}

/** What stands where research will. */
const toCome = ({ query }: RowPlan): Findings =>
  query ? { summary: `(what a search for "${query.text}" finds)`, sources: [] } : noFindings;

const promptText = (plan: RowPlan): string =>
  plan
    .messages(toCome(plan))
    .map(({ content }) => content)
    .join('\n\n');

/**
 * What a start would do, and what it costs: how the file was read, its first rows, what will be searched for, the
 * prompt of the first row that would be worked. `cost.credits`: what would be held. Its time does not depend on the
 * file's length. Throws `no_input` before the upload, `rows_expired`.
 */
export async function previewJob(ctx: Ctx, input: { userId: string; jobId: string }) {
  const found = await read(ctx, input);
  const job = withRows(ctx, found.job);
  const processor = processors.get(job.processor);
  if (!processor)
    throw new DomainError('job_not_open', 'This kind of job is not offered any more.');
  const header = columnNames(job.header);
  const { columns, prompt, options } = job;
  const sender = senderOf(found.profile, options.sender);
  const brief: Brief = { header, columns, prompt, options, sender };
  const content = contentOf(found);
  const rows = content.slice(0, shownRows).map(({ row }) => row);
  const plans = rows.map((row) => processor.plan(brief, row));
  const first = (content.find(({ isToWork }) => isToWork) ?? content[0])?.row ?? [];
  const isUnlimited = entitledNow(ctx, found.subscriptions)?.credits === null;
  // What runs is held for already.
  const toWork =
    job.status === 'running' ? 0 : job.rows_total - job.rows_skipped - job.rows_succeeded;
  const { creditsPerRow } = ctx.config;
  return {
    encoding: job.input?.encoding ?? 'UTF-8',
    delimiter: job.input?.delimiter ?? ',',
    header,
    rows: rows.map((row) => header.map((_, i) => cut(row[i] ?? '', cellCharacters))),
    rowsTotal: job.rows_total,
    emptyRows: job.rows_empty,
    duplicateRows: job.rows_duplicate,
    research: {
      columns: processor.researchColumns(brief),
      queries: plans.map(({ query }) => query?.text ?? null),
    },
    prompt: promptText(processor.plan(brief, first)),
    cost: {
      credits: isUnlimited ? 0 : toWork * creditsPerRow,
      balance: found.balance,
      ...(isUnlimited && { unlimited: true }),
    },
    warnings: previewWarnings({
      job,
      brief,
      processor,
      rows,
      plans,
      staleRows: staleRows(found),
      toWork,
      creditsPerRow,
      balance: isUnlimited ? null : found.balance,
    }),
  };
}
