import type { Ctx } from '../context.ts';
import { columnNames } from '../csv/columns.pure.ts';
import { DomainError } from '../errors.ts';
import {
  createConnectionLimiter,
  type ConnectionLimiter,
} from '../providers/connection-limiter.ts';
import { createDeadline, type Limits } from '../providers/deadline.ts';
import { type ChunkOutcome } from './chunk-outcome.ts';
import { pendingRowsOf } from './chunk.pure.ts';
import { ChunkCommits } from './commit-chunk.ts';
import { createRowTools } from './create-row-tools.ts';
import { leaseChunk, type Leased } from './lease-chunk.ts';
import { tooManyFailedRows } from './failed-rows.pure.ts';
import { senderOf } from './sender-of.pure.ts';
import { waitingOf } from './open-providers.ts';
import { processRows } from './process-rows.ts';
import { processors } from './processors.ts';
import type { ChunkMessage } from './publish-chunks.ts';
import { gaveUpSentence, isGivenUp } from './waiting.pure.ts';

/**
 * Works one chunk: lease, rows, commit; two round trips to the database. Near its time limit it commits
 * what it has and queues the chunk again for the rest; while rows only await their turn at a provider it goes
 * on, and commits now and then. A delivery that is late, double or beside another changes nothing; `busy` asks
 * the queue to come again when the lease of another delivery has run out.
 */
export async function processChunk(
  ctx: Ctx,
  message: ChunkMessage,
  connections: ConnectionLimiter = createConnectionLimiter(),
  limits?: Limits,
): Promise<ChunkOutcome> {
  const token = crypto.randomUUID();
  const leased = await leaseChunk(ctx, message, token);
  if (leased.outcome === 'busy')
    throw new DomainError('busy', 'Another delivery works on this chunk.', {
      retryAfterSeconds: leased.retryAfterSeconds,
    });
  if (leased.outcome !== 'leased') return { outcome: leased.outcome };
  return work(ctx, { message, token, connections, limits }, leased);
}

type Delivery = {
  message: ChunkMessage;
  token: string;
  connections: ConnectionLimiter;
  limits: Limits | undefined;
};

async function work(ctx: Ctx, delivery: Delivery, leased: Leased): Promise<ChunkOutcome> {
  const { message, token, connections, limits } = delivery;
  const { chunk, job, open, spent } = leased;
  const commits = new ChunkCommits(ctx, message, token, leased);
  if (spent) return commits.failRest(tooManyFailedRows(spent));
  const waiting = waitingOf(ctx.config, job.needsSearch, open);
  const nowMs = ctx.now().getTime();
  const patienceMs = ctx.config.providerPatienceMs;
  if (waiting && isGivenUp(waiting, Date.parse(job.startedAt), nowMs, patienceMs))
    return commits.failRest(gaveUpSentence(waiting, patienceMs), { p_given_up: true });
  if (waiting) return commits.putBack(waiting.providers);

  const deadline = createDeadline(nowMs, limits);
  const of = { userId: job.userId, jobId: message.jobId };
  const rowTools = createRowTools(ctx, { connections, deadline, open }, of);
  const processor = processors.get(job.processor);
  const { columns, prompt, options, sender } = job;
  const brief = {
    header: columnNames(job.header),
    columns,
    prompt,
    options,
    sender: senderOf(sender, options.sender),
  };
  const rows = pendingRowsOf(chunk, job.generation);
  commits.begin(rowTools, connections.run, deadline);
  try {
    await rowTools.prepare(rows.flatMap(({ row }) => processor?.plan(brief, row).query ?? []));
    const working = processRows(ctx, {
      rows,
      brief,
      processor,
      toolsOf: rowTools.toolsOf,
      deadline,
      isHalted: commits.isHalted,
      onRow: commits.row,
    });
    while (await deadline.isToCommit(working)) if (!(await commits.checkpoint())) deadline.stop();
    const ended = await commits.end();
    // What came after its user had deleted it would outlive it.
    if (ended.outcome === 'gone') await rowTools.takeBack();
    return ended;
  } finally {
    commits.close();
    // Nobody hears of what would still be asked for.
    deadline.stop();
    deadline.clear();
  }
}
