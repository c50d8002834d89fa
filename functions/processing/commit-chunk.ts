import type { Args } from '../../db/call.ts';
import type { Ctx } from '../context.ts';
import { settleQuietly } from '../ledger/settle-quietly.ts';
import { publishNotification } from '../notifications/publish-notifications.ts';
import type { RunningDeadline } from '../providers/deadline.ts';
import { costMicros } from '../providers/prices.pure.ts';
import { type ChunkOutcome, hasJobEnded } from './chunk-outcome.ts';
import { leaseSeconds, pendingRowsOf } from './chunk.pure.ts';
import { isFaulty, withOutcomes } from './committed-chunk.pure.ts';
import type { RowToolbox } from './create-row-tools.ts';
import { isPassing, sendCommit } from './send-commit.ts';
import type { Leased } from './lease-chunk.ts';
import type { RowOutcome } from './process-rows.ts';
import { createProgress, type ProgressWriter, type StopWord } from './progress-store.ts';
import type { ChunkMessage } from './publish-chunks.ts';
import { type Committed, queueBehind, queueRest } from './queue-rest.ts';

/** Deliveries in a row that may bring no row to its end because it takes too long. */
const mostFruitlessDeliveries = 2;
/** The longest that a provider's own word puts a chunk off. */
const longestPauseSeconds = 900;
/** After so many rows that failed by their own fault, two thirds of all, the lease is asked for again: it may be the last. */
const manyFaulty = 10;

/**
 * Rows that a model was asked for: that failed by their own or their prompt's fault, that succeeded, and that were
 * given up while it wrote. Who pays for them is known when they are committed.
 */
const noRows = { rowsFaulty: 0, rowsAnswered: 0, rowsCut: 0 };

type Commit = { args: Args<'chunk_commit'>; after: Leased['chunk'] };

/** Collects the rows of one delivery and commits them: now and then, and at its end. */
export class ChunkCommits {
  readonly #ctx: Ctx;
  readonly #message: ChunkMessage;
  /** What the lease is held by: each commit leaves another. */
  #token: string;
  readonly #leased: Leased;
  readonly #outcomes = new Map<number, RowOutcome>();
  /** The chunk as it was last committed. */
  #chunk: Leased['chunk'];
  #messages = 1;
  /** Rows since the last commit that nobody may pay for. */
  #asked = { ...noRows };
  #toolbox: RowToolbox | undefined;
  #startProgress: (() => ProgressWriter) | undefined;
  #progress: ProgressWriter | undefined;
  /** The job was cancelled or paused: no more rows are begun. */
  #isStopped = false;
  /** A commit that was sent, and perhaps not heard. */
  #unsure: Commit | undefined;

  constructor(ctx: Ctx, message: ChunkMessage, token: string, leased: Leased) {
    this.#ctx = ctx;
    this.#message = message;
    this.#token = token;
    this.#leased = leased;
    this.#chunk = leased.chunk;
  }

  begin(
    toolbox: RowToolbox,
    run: <T>(work: () => Promise<T>) => Promise<T>,
    deadline: Pick<RunningDeadline, 'stop' | 'halt'>,
  ) {
    this.#toolbox = toolbox;
    const onStop = (word: StopWord) => {
      this.#isStopped = true;
      if (word === 'cancel') deadline.stop();
      else deadline.halt();
    };
    this.#startProgress = () => createProgress(this.#ctx, run, this.#message, onStop);
    this.#progress = this.#startProgress();
  }

  row = (rowIndex: number, outcome: RowOutcome): void => {
    this.#outcomes.set(rowIndex, outcome);
    if (outcome.status === 'ok') this.#asked.rowsAnswered += 1;
    if (isFaulty(outcome)) this.#asked.rowsFaulty += 1;
    if (outcome.status === 'postponed') this.#asked.rowsCut += Number(outcome.isAsked);
    else this.#progress?.row(outcome.status === 'ok');
  };

  /**
   * Whether no more rows are begun: the job was stopped, or so many rows fail by their own fault that the budget of
   * the day is looked at first.
   */
  isHalted = (): boolean => {
    if (this.#isStopped) return true;
    const outcomes = [...this.#outcomes.values()];
    const answered = outcomes.filter(({ status }) => status === 'ok').length;
    return outcomes.filter(isFaulty).length >= Math.max(manyFaulty, 2 * answered);
  };

  /**
   * Commits the rows that have ended and keeps the lease. False: it is lost, or the job is over. A database that is
   * away is asked again with the next commit: the lease lasts for two.
   */
  async checkpoint(): Promise<boolean> {
    await this.#progress?.end();
    this.#progress = this.#startProgress?.();
    try {
      const { outcome, status } = await this.#commit({ p_lease_seconds: leaseSeconds });
      // What a pause finds at work is finished.
      this.#isStopped ||= status === 'paused';
      return outcome === 'committed' && (status === 'running' || status === 'paused');
    } catch (error) {
      if (!isPassing(error)) throw error;
      return true;
    }
  }

  /** Commits all there is; a chunk with rows left is queued again, behind a lane that waits if it must. */
  async end(): Promise<ChunkOutcome> {
    const outcomes = [...this.#outcomes.values()];
    const postponed = outcomes.filter((outcome) => outcome.status === 'postponed');
    const away = postponed.flatMap((row) => row.away ?? []);
    const waited = postponed.length > 0 && postponed.every(({ inTurn }) => inTurn);
    if (!waited) this.#failFruitless();
    // Before the commit, or its rows would be shown twice.
    await this.#progress?.end();
    const finished = this.#toolbox?.finish();
    try {
      const outcome = await this.#commit({ p_waited: waited });
      const [first] = away;
      if (first) return await queueBehind(this.#ctx, this.#committed(outcome), first.waitsFor);
      const waitMs = Math.max(0, ...postponed.map((row) => row.waitMs));
      const delaySeconds = Math.min(longestPauseSeconds, Math.ceil(waitMs / 1000));
      return await queueRest(this.#ctx, this.#committed(outcome), delaySeconds);
    } finally {
      await finished;
    }
  }

  /** Gives the lease back unused: providers that the rows need are away. */
  async putBack(providers: string[]): Promise<ChunkOutcome> {
    const outcome = await this.#commit({ p_waited: true });
    await queueBehind(this.#ctx, this.#committed(outcome), providers);
    return outcome.outcome === 'committed' ? { ...outcome, outcome: 'waiting' } : outcome;
  }

  /** Every row that has no result becomes an error row. */
  async failRest(
    error: string,
    how: Pick<Args<'chunk_commit'>, 'p_given_up'> = {},
  ): Promise<ChunkOutcome> {
    for (const { rowIndex } of pendingRowsOf(this.#chunk, this.#leased.job.generation))
      this.#outcomes.set(rowIndex, { status: 'error', error });
    return this.#commit(how);
  }

  /**
   * Rows that were cut by the deadline fail when their chunk got nowhere for several deliveries; rows that only
   * await their turn, or a provider, do not.
   */
  #failFruitless(): void {
    const isFruitless = [...this.#outcomes.values()].every(({ status }) => status === 'postponed');
    const { fruitlessLeases } = this.#leased.chunk;
    if (!isFruitless || fruitlessLeases < mostFruitlessDeliveries) return;
    for (const [rowIndex, outcome] of this.#outcomes)
      if (outcome.status === 'postponed' && !outcome.inTurn)
        this.#outcomes.set(rowIndex, { status: 'error', error: 'Took too long' });
  }

  async #commit(
    how: Pick<Args<'chunk_commit'>, 'p_waited' | 'p_lease_seconds' | 'p_given_up'>,
  ): Promise<ChunkOutcome & { left: number }> {
    // One whose answer never came may have got through: it is told again first, under its own id.
    if (this.#unsure) await this.#send(this.#unsure);
    const { job } = this.#leased;
    const { generation, settingsVersion: version } = job;
    const as = { generation, version };
    const { after, reverted, succeeded, failed, left } = withOutcomes(
      this.#chunk,
      this.#outcomes,
      as,
    );
    const [queueMessages, asked] = [this.#messages, this.#asked];
    const usage = this.#toolbox?.takeUsage();
    const { micros } = costMicros({ queueMessages }, this.#ctx.config.prices);
    const args = {
      p_job: this.#message.jobId,
      p_run: this.#message.run,
      p_index: this.#message.chunk,
      p_token: this.#token,
      p_commit: crypto.randomUUID(),
      p_results: after.results,
      p_todo: after.todo,
      p_reverted: reverted,
      p_succeeded: succeeded,
      p_failed: failed,
      p_usage: {
        ...usage,
        ...asked,
        queueMessages,
        costMicros: (usage?.costMicros ?? 0) + micros,
      },
      ...how,
    };
    [this.#messages, this.#asked] = [0, { ...noRows }];
    const outcome = await this.#send({ args, after });
    if (hasJobEnded(outcome)) {
      await settleQuietly(this.#ctx, job.userId);
      if (job.options.notifyUrl !== undefined)
        await publishNotification(this.#ctx, { jobId: args.p_job });
    }
    return { ...outcome, left };
  }

  async #send(sent: Commit): Promise<ChunkOutcome> {
    this.#unsure = sent;
    const outcome = await sendCommit(this.#ctx, sent.args);
    this.#unsure = undefined;
    this.#token = sent.args.p_commit;
    this.#chunk = sent.after;
    return outcome;
  }

  /** Ends what goes on beside the rows, however the delivery ends. */
  close = (): void => this.#progress?.close();

  /** What of the chunk is left after a commit, to be queued. */
  #committed(outcome: ChunkOutcome & { left: number }): Committed {
    const [message, leased, token] = [this.#message, this.#leased, this.#token];
    return { message, leased, token, isStopped: this.#isStopped, outcome };
  }
}
