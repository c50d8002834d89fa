import { timeLimit } from '../clients/time-limit.ts';
import type { Ctx } from '../context.ts';
import { liveField, type LiveRows, noLiveRows, sumLive } from './live-progress.pure.ts';

/** Rows between two writes of a chunk. */
const rowsPerWrite = 5;

/** A pause waits little longer for those at work to hear of it. */
const lookMs = 1000;

/** The hash and the flag outlive any invocation that could look at them. */
const keptSeconds = 600;

/** The longest that a commit waits for Redis; what is left behind then soon counts no more. */
const longestEndMs = 300;

/** How long readers leave Redis alone after it did not answer. */
const pauseMs = 5000;

const hashOf = (job: { id: string; run: number }) => `rowloom:live:${job.id}:${job.run}`;
const flagOf = (jobId: string) => `rowloom:cancelled:${jobId}`;

export type ProgressWriter = {
  /** A row has ended; never throws, never waits. */
  row: (ok: boolean) => void;
  /**
   * The chunk is about to be committed, or given up: takes its rows out of Redis. Waits 300 ms at most
   * and never throws. It must come before the commit, or the rows would be counted twice.
   */
  end: () => Promise<void>;
  /** Looks no more; for whoever has not come to its end. */
  close: () => void;
};

/**
 * Tells of a chunk's rows while it is worked: a field of the job's hash in Redis, written at most every
 * five rows, one write at a time; none after one failed. `run` gives a write one of the invocation's
 * header slots. `onStop` is called once, when the job was cancelled or paused: each write reads the flag, and so does
 * a look each second while nothing is written.
 */
export function createProgress(
  ctx: Ctx,
  run: <T>(work: () => Promise<T>) => Promise<T>,
  of: { jobId: string; run: number; chunk: number },
  onStop: (word: StopWord) => void,
): ProgressWriter {
  const hash = hashOf({ id: of.jobId, run: of.run });
  const field = String(of.chunk);
  const leasedAtMs = ctx.now().getTime();
  const rows = { ...noLiveRows };
  let written = 0;
  let stored = false;
  let broken = false;
  let ended = false;
  let isStopped = false;
  let writing: Promise<void> | undefined;

  const store = async (): Promise<StopWord | undefined> => {
    // The slot may have come after the end; the counts are those of now, not of when it was asked for.
    if (ended) return undefined;
    const upTo = rows.succeeded + rows.failed;
    const commands = ctx.redis
      .pipeline()
      .hset(hash, { [field]: liveField(rows, leasedAtMs) })
      .get(flagOf(of.jobId));
    // Every chunk renews it once: commands are what Redis costs.
    if (!stored) commands.expire(hash, keptSeconds);
    const [, flag] = await commands.exec<[number, unknown]>();
    stored = true;
    written = upTo;
    return wordOf(flag);
  };
  const wordOf = (flag: unknown): StopWord | undefined => {
    const [, word, atMs] = /^(cancel|pause):(\d+)$/.exec(String(flag)) ?? [];
    // An older flag was for an earlier run: nobody leases a chunk of a job that is cancelled.
    return Number(atMs ?? 0) > leasedAtMs ? (word as StopWord) : undefined;
  };
  const look = async (): Promise<StopWord | undefined> =>
    ended ? undefined : wordOf(await ctx.redis.get(flagOf(of.jobId)));
  const ask = async (command: () => Promise<StopWord | undefined>): Promise<void> => {
    // Rows often end together, and the last ones just before the end: they need no write each.
    await new Promise((resolve) => setTimeout(resolve, 0));
    const word = await run(command).catch(() => void (broken = true));
    writing = undefined;
    if (word && !isStopped) {
      isStopped = true;
      onStop(word);
    }
    writeIfDue();
  };
  const writeIfDue = (): void => {
    const due = rows.succeeded + rows.failed - written >= rowsPerWrite;
    if (due && !writing && !broken && !ended) writing = ask(store);
  };
  const looking = setInterval(() => {
    if (!writing && !broken && !isStopped) writing = ask(look);
  }, lookMs);
  const remove = async (): Promise<void> => {
    await writing;
    // A delivery that was killed may have left a field, so even a chunk without a write takes it out.
    if (stored || !broken) await run(() => ctx.redis.hdel(hash, field));
  };

  return {
    row: (ok) => {
      if (ok) rows.succeeded += 1;
      else rows.failed += 1;
      writeIfDue();
    },
    close: () => clearInterval(looking),
    end: () => {
      ended = true;
      clearInterval(looking);
      return timeLimit(longestEndMs, remove()).catch(() => undefined);
    },
  };
}

/** `cancel`: what is under way is given up. `pause`: it is finished, and nothing more is begun. */
export type StopWord = 'cancel' | 'pause';

/**
 * Tells the invocations at work that the job is over, or paused: they hear of it at their next write. Call it when the
 * job is no longer running in Postgres, which has the last word. Never throws.
 */
export async function announceStop(ctx: Ctx, jobId: string, word: StopWord): Promise<void> {
  await ctx.redis
    .set(flagOf(jobId), `${word}:${ctx.now().getTime()}`, { ex: keptSeconds })
    .catch(() => undefined);
}

/** Until when readers leave a Redis alone, so that an outage does not slow every look at a job. */
const silentUntilMs = new WeakMap<Ctx['redis'], number>();

/** Rows of chunks at work that ended but are not committed; zeros when Redis does not answer. */
export async function readLive(ctx: Ctx, job: { id: string; run: number }): Promise<LiveRows> {
  const nowMs = ctx.now().getTime();
  if (nowMs < (silentUntilMs.get(ctx.redis) ?? 0)) return noLiveRows;
  try {
    const fields = await ctx.redis.hgetall(hashOf(job));
    return sumLive(Object.values(fields ?? {}), nowMs);
  } catch {
    silentUntilMs.set(ctx.redis, ctx.now().getTime() + pauseMs);
    ctx.log('redis_unavailable', { use: 'progress' });
    return noLiveRows;
  }
}
