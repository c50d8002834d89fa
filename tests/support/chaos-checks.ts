import { expect } from 'vitest';
import type { Ctx } from '../../functions/context.ts';
import { readJob } from '../../functions/jobs/read-job.ts';
import { readOutput } from '../../functions/jobs/read-output.ts';
import { assertBooksHold } from './ledger-invariants.ts';
import { type Plan, shortSeconds } from './chaos-plan.ts';
import type { Stage } from './chaos-story.ts';

/** What a story knows of a job. */
export type Told = {
  id: string;
  header: string;
  /** Its rows as they were sent. */
  rows: string[];
  /** Lines that were seen `ok`, while the job was running too: they may never change. */
  ok: Map<string, string>;
  /** Somebody tried to delete it. */
  deleted: boolean;
};

/** A row without content, as it is sent: it comes out as it came, and costs nothing. */
export const blankRow = ',';

const added =
  'research_summary,research_sources,email_subject,email_body,row_status,row_error,row_note';

/** The output; a reading during which a retry began broke off, and is made again. */
async function textOf(ctx: Ctx, of: { userId: string; jobId: string }): Promise<string> {
  const options = { partial: true, raw: false, bom: false };
  for (let tries = 0; ; tries += 1) {
    const { body } = await readOutput(ctx, { ...of, options });
    try {
      return await new Response(body).text();
    } catch (error) {
      if (!String(error).includes('while they were being read') || tries === 5) throw error;
    }
  }
}

async function linesOf(
  ctx: Ctx,
  of: { userId: string; jobId: string },
  told: Told,
): Promise<string[]> {
  const [header, ...lines] = (await textOf(ctx, of)).split('\r\n').slice(0, -1);
  expect(header).toBe(`${told.header},${added}`);
  // A row without a result is left out while the job runs; at its end there is none.
  expect(lines.filter((line) => /,error,(Not processed|Internal error),$/.test(line))).toEqual([]);
  return lines;
}

/** Whether a line is its row with its own research and its own letter. */
function isOk(row: string, line: string): boolean {
  const [name = ''] = row.split(',');
  const [before, after] = [`${row},${name}: about ${name},,Hello,Dear ${name} (`, '),ok,,'];
  const nth = line.slice(before.length, -after.length);
  return line === before + nth + after && /^\d+$/.test(nth);
}

const isError = (row: string, line: string): boolean =>
  line.startsWith(`${row},,,,,error,`) && line.length > `${row},,,,,error,,`.length;

const isSkipped = (row: string, line: string): boolean =>
  row === blankRow && line === `${row},,,,,skipped,,empty row`;

/** Checks lines against rows, of which some may be missing: in order, each once → those that are ok. */
function checkLines(lines: string[], rows: string[]): Map<string, string> {
  const ok = new Map<string, string>();
  let at = -1;
  for (const line of lines) {
    at = rows.findIndex((row, i) => i > at && line.startsWith(`${row},`));
    const row = rows[at];
    if (row === undefined) throw new Error(`Not a row, twice or out of order: ${line}`);
    if (isOk(row, line)) ok.set(row, line);
    else if (!isSkipped(row, line) && (row === blankRow || !isError(row, line)))
      throw new Error(`Neither ok, an error nor skipped: ${line}`);
  }
  return ok;
}

/** Somebody looks while the job is in whatever state. */
export async function checkReading(
  ctx: Ctx,
  of: { userId: string; jobId: string },
  told: Told,
): Promise<void> {
  const { rows, credits } = await readJob(ctx, of);
  expect(rows.done).toBe(rows.succeeded + rows.failed + rows.skipped);
  expect(rows.done).toBeLessThanOrEqual(rows.total);
  expect(Math.min(credits.held, credits.charged, credits.released)).toBeGreaterThanOrEqual(0);
  await remember(ctx, of, told);
}

/** Rows that are ok now were ok before as they are, or are new; they are paid for and stay. */
export async function remember(
  ctx: Ctx,
  of: { userId: string; jobId: string },
  told: Told,
): Promise<void> {
  const seen = checkLines(await linesOf(ctx, of, told), told.rows);
  for (const [row, line] of seen) {
    if (told.ok.has(row)) expect(line, 'what was ok stays').toBe(told.ok.get(row));
    told.ok.set(row, line);
  }
}

export type End = {
  userId: string;
  jobs: Told[];
  /** Credits that the user has had in all. */
  bought: number;
  surprises: string[];
  providers: Plan['providers'];
};

/** After the calm: the same books and the same files whatever happened. */
export async function checkEnd(stage: Stage, end: End): Promise<void> {
  const { fixture, tally } = stage;
  expect(end.surprises).toEqual([]);
  let spent = 0;
  for (const told of end.jobs) spent += await checkJob(stage, end, told);
  expect(await fixture.credits(end.userId)).toEqual({ balance: end.bought - spent, held: 0 });
  await assertBooksHold(fixture.database.pool);
  tally.count('stories: checked');
}

type Books = {
  status: string;
  error: string | null;
  run: number;
  rows_total: number;
  rows_succeeded: number;
  rows_skipped: number;
  deleted: boolean;
  held: number;
  released: number;
  holds: string[];
  releases: string[];
};

/** → the credits that the job has cost. */
async function checkJob({ fixture, tally }: Stage, end: End, told: Told): Promise<number> {
  const [books] = await fixture.query<Books>(
    `select j.status, j.error, j.run, j.rows_total, j.rows_succeeded, j.rows_skipped, j.deleted_at is not null as deleted,
        coalesce(-sum(e.amount) filter (where e.kind = 'hold'), 0)::int as held,
        coalesce(sum(e.amount) filter (where e.kind = 'release'), 0)::int as released,
        coalesce(array_agg(e.idempotency_key) filter (where e.kind = 'hold'), '{}') as holds,
        coalesce(array_agg(e.idempotency_key) filter (where e.kind = 'release'), '{}') as releases
      from jobs j left join credit_entries e on e.job_id = j.id where j.id = $1 group by j.id`,
    [told.id],
  );
  if (!books) throw new Error('A job has gone without a trace.');
  tally.count(`end: ${books.deleted ? 'deleted' : books.status}`);
  const spent = books.held - books.released;
  expect(spent, 'credits charged = rows ok').toBe(books.rows_succeeded);
  const runs = Array.from({ length: books.run }, (_, i) => `${told.id}:${i + 1}`);
  expect(books.holds.toSorted(), 'one hold a run').toEqual(runs.map((a) => `hold:${a}`).toSorted());
  expect(
    runs.map((a) => `release:${a}`),
    'at most one release a run',
  ).toEqual(expect.arrayContaining(books.releases));
  expect(new Set(books.releases).size).toBe(books.releases.length);
  if (books.deleted) {
    expect(told.deleted).toBe(true);
    return spent;
  }
  if (books.run === 0) {
    expect(books.status).toMatch(/^(awaiting_credits|cancelled)$/);
    return spent;
  }
  expect(books.status).toMatch(/^(completed|failed|cancelled)$/);
  if (books.status !== 'cancelled')
    expect(books.status, 'failed if nothing of it').toBe(
      books.rows_succeeded > 0 ? 'completed' : 'failed',
    );
  expect(books.error !== null, 'an error if it failed').toBe(books.status === 'failed');
  const lines = await linesOf(fixture.ctx, { userId: end.userId, jobId: told.id }, told);
  const ok = checkLines(lines, told.rows);
  expect(lines, 'every row of the file').toHaveLength(told.rows.length);
  expect(ok.size, 'rows counted ok = rows that are ok').toBe(books.rows_succeeded);
  for (const [row, line] of told.ok) expect(ok.get(row), 'what was ok stays').toBe(line);
  tally.count('rows: ok', ok.size);
  const skipped = told.rows.filter((row) => row === blankRow).length;
  expect(books.rows_skipped, 'rows counted skipped').toBe(skipped);
  tally.count('rows: skipped', skipped);
  tally.count('rows: error', lines.length - ok.size - skipped);
  checkReasons(lines, end, books.status);
  return spent;
}

const gaveUp =
  /^The (search engine|model) (did not answer|took no more requests|had no quota left|refused us) for /;

/** An error that nobody can explain would be a bug's. */
function checkReasons(lines: string[], { providers }: End, status: string): void {
  const reasons = lines.flatMap((line) => /,error,(.+),$/.exec(line)?.[1] ?? []);
  const isLong = providers.outages.some(({ seconds }) => seconds > shortSeconds);
  if (!isLong)
    expect(
      reasons.filter((reason) => gaveUp.test(reason)),
      'given up too soon',
    ).toEqual([]);
  if (providers.failing > 0 || providers.outages.some(({ share }) => share === 'most')) return;
  const known = /^(Could not be processed|Took too long)$/;
  const cancelled = 'The job was cancelled';
  const unknown = reasons.filter(
    (reason) =>
      !known.test(reason) &&
      !gaveUp.test(reason) &&
      !(status === 'cancelled' && reason === cancelled),
  );
  expect(unknown, 'errors without a cause').toEqual([]);
}
