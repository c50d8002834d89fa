import { DatabaseError } from 'pg';
import { runPipeline, type Line, type Outcome } from './pipeline.ts';
import { isStale, type Statement } from './prepared.ts';

/** Watches whether the caller is still there; `onGone` is called at most once. */
export type Caller = { isGone: boolean; onGone: (() => void) | undefined };

/** A batch: a lone statement, or statements between `begin` and a commit. */
export type Batch = { statements: Statement[]; begin: string | undefined };

/** Makes the answer of the outcomes, before they are committed. @throws what shall undo them. */
export type Approve<T> = (outcomes: Outcome[]) => T;

const command = (query: string): Statement[] => [{ query, params: [] }];

/** A batch takes two round trips, so that an answer that is refused is not committed. */
async function runInTransaction<T>(
  line: Line,
  { statements, begin = 'BEGIN' }: Batch,
  maxBytes: number,
  caller: Caller,
  approve: Approve<T>,
): Promise<T> {
  try {
    const outcomes = await runPipeline(line, [...command(begin), ...statements], maxBytes);
    const result = approve(outcomes.slice(1));
    if (caller.isGone) throw new Error('the caller went away');
    await runPipeline(line, command('COMMIT'), maxBytes);
    return result;
  } catch (error) {
    if (!line.isTainted && line.client.getTransactionStatus() !== 'I')
      await runPipeline(line, command('ROLLBACK'), maxBytes).catch(() => (line.isTainted = true));
    throw error;
  }
}

async function runOnce<T>(
  line: Line,
  batch: Batch,
  maxBytes: number,
  caller: Caller,
  approve: Approve<T>,
): Promise<T> {
  if (batch.begin !== undefined) return runInTransaction(line, batch, maxBytes, caller, approve);
  return approve(await runPipeline(line, batch.statements, maxBytes));
}

/**
 * Runs a batch and gives what `approve` makes of its outcomes; again, if a prepared statement turns out
 * to be stale: that shows before anything is committed.
 * @throws Refusal, or the DatabaseError.
 */
export async function run<T>(
  line: Line,
  batch: Batch,
  maxBytes: number,
  caller: Caller,
  approve: Approve<T>,
): Promise<T> {
  try {
    return await runOnce(line, batch, maxBytes, caller, approve);
  } catch (error) {
    if (!(error instanceof DatabaseError) || !isStale(error) || line.isTainted) throw error;
    line.prepared.clear();
    return runOnce(line, batch, maxBytes, caller, approve);
  }
}
