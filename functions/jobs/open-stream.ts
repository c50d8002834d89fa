import type { Ctx } from '../context.ts';
import type { JobSummary } from './job.pure.ts';
import { findStreamedJob } from './read-job.ts';

/** So long an event stream counts that is not renewed: its isolate may have died. */
const leaseSeconds = 45;
const renewMs = 20_000;

export type OpenStream = {
  /** As it was found just now. */
  job: JobSummary;
  /** The stream counts no more. Never throws; a second time does nothing. */
  close: () => Promise<void>;
};

/**
 * Opens one of the event streams that a user may have at once, in one round trip; it counts until it is closed.
 * Throws `not_found`, `too_many_streams`.
 */
export async function openStream(
  ctx: Ctx,
  { userId, jobId }: { userId: string; jobId: string },
): Promise<OpenStream> {
  const streamId = crypto.randomUUID();
  const job = await findStreamedJob(ctx, { userId, jobId }, { streamId, leaseSeconds });
  const lease = { p_user: userId, p_stream: streamId, p_seconds: leaseSeconds };
  let underWay: Promise<unknown> = Promise.resolve();
  const renew = (): void => {
    // One that does not come through is made good by the next; none may come after the close.
    underWay = underWay.then(() => ctx.db.call('stream_renew', lease)).catch(() => undefined);
  };
  const timer = setInterval(renew, renewMs);
  let closed: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    clearInterval(timer);
    await underWay;
    // The lease runs out by itself.
    await ctx.db.call('stream_close', { p_stream: streamId }).catch(() => undefined);
  };
  return { job, close: () => (closed ??= close()) };
}
