import { DatabaseError } from 'pg';
import { exchange, type Line, type Outcome } from './exchange.ts';
import { isStale, type Statement } from './prepared.ts';

/** Watches whether the caller is still there; `onGone` is called at most once. */
export type Caller = { isGone: boolean; onGone: (() => void) | undefined };

/** A unit of work: a lone statement, or statements between `begin` and a commit. */
export type Work = { statements: Statement[]; begin: string | undefined };

/** Makes the answer of the outcomes, before they are committed. @throws what shall undo them. */
export type Approve<T> = (outcomes: Outcome[]) => T;

const command = (query: string): Statement[] => [{ query, params: [] }];

/** A batch takes two round trips, so that an answer that is refused is not committed. */
async function runTogether<T>(
  line: Line,
  { statements, begin = 'BEGIN' }: Work,
  maxBytes: number,
  caller: Caller,
  approve: Approve<T>,
): Promise<T> {
  try {
    const outcomes = await exchange(line, [...command(begin), ...statements], maxBytes);
    const result = approve(outcomes.slice(1));
    if (caller.isGone) throw new Error('the caller went away');
    await exchange(line, command('COMMIT'), maxBytes);
    return result;
  } catch (error) {
    if (!line.isTainted && line.client.getTransactionStatus() !== 'I')
      await exchange(line, command('ROLLBACK'), maxBytes).catch(() => (line.isTainted = true));
    throw error;
  }
}

async function runOnce<T>(
  line: Line,
  work: Work,
  maxBytes: number,
  caller: Caller,
  approve: Approve<T>,
): Promise<T> {
  if (work.begin !== undefined) return runTogether(line, work, maxBytes, caller, approve);
  return approve(await exchange(line, work.statements, maxBytes));
}

/**
 * Runs `work` and gives what `approve` makes of its outcomes; again, if a prepared statement turns out
 * to be stale: that shows before anything is committed.
 * @throws Refusal, or the DatabaseError.
 */
export async function run<T>(
  line: Line,
  work: Work,
  maxBytes: number,
  caller: Caller,
  approve: Approve<T>,
): Promise<T> {
  try {
    return await runOnce(line, work, maxBytes, caller, approve);
  } catch (error) {
    if (!(error instanceof DatabaseError) || !isStale(error) || line.isTainted) throw error;
    line.prepared.clear();
    return runOnce(line, work, maxBytes, caller, approve);
  }
}
