import type { Ctx } from '../context.ts';
import type { Deadline } from '../providers/deadline.ts';
import type { Lead } from './chunk.pure.ts';
import { ProviderError, RowPostponed } from '../providers/errors.pure.ts';
import type { RowProcessor, RowResult, RowTools } from './processor.ts';

/** What became of a row: its result, or why it has none yet. */
export type RowOutcome = RowResult | { status: 'postponed'; waitMs: number; inTurn: boolean };

export type RowWork = {
  leads: Lead[];
  header: string[];
  prompt: string;
  processor: RowProcessor | undefined;
  tools: RowTools;
  deadline: Deadline;
  /** Hears of every row that has a result. */
  onRow: (ok: boolean) => void;
};

/**
 * Works rows, at most `parallelRowsPerInvocation` at once, until all have an outcome or the deadline is
 * there; those that never began have none.
 */
export async function processRows(ctx: Ctx, work: RowWork): Promise<Map<number, RowOutcome>> {
  const outcomes = new Map<number, RowOutcome>();
  const queue = work.leads.values();
  const takeTurns = async (): Promise<void> => {
    for (const lead of queue) {
      if (work.deadline.signal.aborted || ctx.now().getTime() >= work.deadline.startUntil) return;
      const outcome = await workRow(ctx, work, lead);
      outcomes.set(lead.at, outcome);
      if (outcome.status !== 'postponed') work.onRow(outcome.status === 'ok');
    }
  };
  const limit = Math.min(ctx.config.parallelRowsPerInvocation, work.leads.length);
  await Promise.all(Array.from({ length: limit }, takeTurns));
  return outcomes;
}

/** A row that fails becomes an error row: it never fails its chunk. */
async function workRow(ctx: Ctx, work: RowWork, { row }: Lead): Promise<RowOutcome> {
  const { processor, header, prompt, tools } = work;
  if (!processor) return { status: 'error', error: 'This kind of job is not offered any more' };
  if (row.every((cell) => cell.trim() === ''))
    return { status: 'error', error: 'The row is empty' };
  try {
    return { status: 'ok', cells: await processor.process({ header, prompt, row, tools }) };
  } catch (error) {
    if (error instanceof RowPostponed)
      return { status: 'postponed', waitMs: error.retryAfterMs, inTurn: error.inTurn };
    if (error instanceof ProviderError) return { status: 'error', error: error.message };
    ctx.log('row_failed', {
      processor: processor.name,
      error: error instanceof Error ? error.name : 'unknown',
    });
    return { status: 'error', error: 'Internal error' };
  }
}
