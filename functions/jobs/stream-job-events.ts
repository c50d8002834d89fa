import type { Ctx } from '../context.ts';
import { DomainError } from '../errors.ts';
import { eventId, notBefore, seenBy } from './sse-cursor.pure.ts';
import { hasEnded, jobView, type JobSummary, type JobView, withLive } from './job.pure.ts';
import { noLiveRows } from '../processing/live-progress.pure.ts';
import { readLive } from '../processing/progress-store.ts';
import { findJob } from './read-job.ts';

/** Redis is asked this often while the job runs, Postgres every second time. */
const pollMs = 500;
/** A job that waits for its file or for credits. */
const waitingPollMs = 2000;
/**
 * Comment lines keep proxies from cutting a quiet stream, and notice a client that has gone: it is heard of when
 * something is said, and its stream counts until then.
 */
const quietMs = 5000;
/** After this the client connects again. */
const longestMs = 300_000;
/** How long the database may fail before the client is sent to try another time. */
const longestOutageMs = 30_000;

export type JobEvent =
  | { event: 'progress' | 'done'; id: string; job: JobView }
  | { event: 'quiet' };

export type Follow = {
  /** As it was found just now. */
  job: JobSummary;
  /** The id of the last event that the client has; it is not sent that again. */
  lastEventId: string | undefined;
  /** Aborted when the client has gone. */
  signal: AbortSignal;
};

/**
 * A job's way to its end: `progress` when it has moved, never back within a run; `done` last;
 * `quiet` when there was nothing to say for 5 s. Ends without `done` after five minutes, when the job
 * is deleted or when the database has failed for 30 s: the client comes again. Never throws.
 */
export async function* streamJobEvents(
  ctx: Ctx,
  input: Follow,
  wait: typeof pause = pause,
): AsyncGenerator<JobEvent> {
  const nowMs = () => ctx.now().getTime();
  const untilMs = nowMs() + longestMs;
  const { signal } = input;
  let { job } = input;
  let seen = seenBy(input.lastEventId);
  let seenId = seen && input.lastEventId;
  let saidMs = 0;
  let failingSinceMs: number | undefined;

  for (let polls = 1; ; polls += 1) {
    // Always after Postgres, as in `readJob`.
    const live = job.status === 'running' ? await readLive(ctx, job) : noLiveRows;
    const shown = notBefore(withLive(job, live), seen);
    const id = eventId(shown);
    if (id !== seenId) {
      yield { event: 'progress', id, job: jobView(shown, ctx.now()) };
      seen = shown;
      seenId = id;
      saidMs = nowMs();
    }
    if (hasEnded(job.status)) return yield { event: 'done', id, job: jobView(shown, ctx.now()) };
    if (nowMs() - saidMs >= quietMs) {
      yield { event: 'quiet' };
      saidMs = nowMs();
    }
    await wait(job.status === 'running' ? pollMs : waitingPollMs, signal);
    if (signal.aborted || nowMs() >= untilMs) return;
    if (job.status === 'running' && polls % 2 === 1) continue;
    try {
      job = await findJob(ctx, { userId: job.user_id, jobId: job.id });
      failingSinceMs = undefined;
    } catch (error) {
      if (error instanceof DomainError && error.code === 'not_found') return;
      if (failingSinceMs === undefined) ctx.log('job_events_blind', { jobId: job.id });
      failingSinceMs ??= nowMs();
      if (nowMs() - failingSinceMs >= longestOutageMs) return;
    }
  }
}

/** Waits `ms`, or less if the signal comes. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => {
    const stop = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', stop);
      resolve();
    };
    const timer = setTimeout(stop, ms);
    signal.addEventListener('abort', stop, { once: true });
  });
}
