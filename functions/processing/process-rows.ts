import type { Ctx } from '../context.ts';
import type { Deadline } from '../providers/deadline.ts';
import { ProviderAway, ProviderError, RowFault, RowPostponed } from '../providers/errors.pure.ts';
import type { Findings } from '../providers/research.ts';
import type { PendingRow } from './chunk.pure.ts';
import type { Brief, RowProcessor, RowResult, RowTools } from './processor.ts';

/**
 * What became of a row: its result, or why it has none yet and what was paid for it so far. `isFaulty`: it or its
 * prompt is why no model could answer.
 */
export type RowOutcome =
  | (RowResult & { isFaulty?: boolean })
  | {
      status: 'postponed';
      waitMs: number;
      inTurn: boolean;
      away: ProviderAway | undefined;
      searches: ReadonlyMap<string, Findings>;
      /** A model has answered, or was cut while it did: it is asked anew. */
      isAsked: boolean;
    };

export type RowWork = {
  rows: PendingRow[];
  brief: Brief;
  processor: RowProcessor | undefined;
  /** The tools of one row; its searches are kept in `searches`, and `onAsked` hears of its models. */
  toolsOf: (searches: Map<string, Findings>, onAsked: () => void) => RowTools;
  deadline: Deadline;
  /** Whether no more rows are begun. */
  isHalted: () => boolean;
  /** Hears of every row as it ends. */
  onRow: (rowIndex: number, outcome: RowOutcome) => void;
};

/**
 * Works rows, at most `parallelRowsPerInvocation` at once, until all have an outcome, the deadline is there, a
 * provider is away or it is halted; those that never began have none.
 */
export async function processRows(ctx: Ctx, work: RowWork): Promise<void> {
  const queue = work.rows.values();
  let isAway = false;
  const workThroughQueue = async (): Promise<void> => {
    for (const pending of queue) {
      const isLate = ctx.now().getTime() >= work.deadline.startUntil;
      // A row that begins now would pay for a search and then wait for the model.
      if (work.deadline.signal.aborted || isLate || isAway || work.isHalted()) return;
      const outcome = await processRow(ctx, work, pending);
      isAway ||= outcome.status === 'postponed' && outcome.away !== undefined;
      work.onRow(pending.rowIndex, outcome);
    }
  };
  const limit = Math.min(ctx.config.parallelRowsPerInvocation, work.rows.length);
  await Promise.all(Array.from({ length: limit }, workThroughQueue));
}

/** A row that fails becomes an error row: it never fails its chunk. */
async function processRow(ctx: Ctx, work: RowWork, pending: PendingRow): Promise<RowOutcome> {
  const { processor, brief } = work;
  const { row } = pending;
  if (!processor) return { status: 'error', error: 'This kind of job is not offered any more' };
  const searches = new Map(pending.searches);
  let isAsked = false;
  const tools = work.toolsOf(searches, () => void (isAsked = true));
  const postponed = (waitMs: number, inTurn: boolean, away?: ProviderAway): RowOutcome => ({
    status: 'postponed',
    waitMs,
    inTurn,
    away,
    searches,
    isAsked,
  });
  try {
    return { status: 'ok', ...(await processor.process(brief, row, tools)) };
  } catch (error) {
    if (error instanceof ProviderAway) return postponed(0, true, error);
    if (error instanceof RowPostponed) return postponed(error.retryAfterMs, error.inTurn);
    if (error instanceof ProviderError)
      return { status: 'error', error: error.message, isFaulty: error instanceof RowFault };
    ctx.log('row_failed', {
      processor: processor.name,
      error: error instanceof Error ? error.name : 'unknown',
    });
    return { status: 'error', error: 'Internal error' };
  }
}
