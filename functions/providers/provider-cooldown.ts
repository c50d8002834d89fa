import type { Bucket } from './shared-rate-limiter.ts';
import { waitUntil, type Deadline } from './deadline.ts';
import { ProviderError } from './errors.pure.ts';

/** What all rows of an invocation pass before they call a provider. */
export type Gate = {
  /**
   * Waits until the provider takes calls again and this one has its turn; rows that were held up come
   * through within `spreadMs` of each other. Throws `RowPostponed` when that is after the deadline.
   */
  enter: (spreadMs: number) => Promise<void>;
  /** Throws `ProviderError` (`limited`) when it was closed after a row entered: it waited for a slot. */
  check: () => void;
  /** The provider said 429: nobody enters for so long, and other invocations get their turns later. */
  close: (waitMs: number) => void;
};

/** How long one refusal holds up other invocations: what a provider says may be a day, or wrong. */
const longestSharedWaitMs = 60_000;

/** A gate for one provider; `bucket` is the rate that invocations share, if the operator set one. */
export function createProviderCooldown(options: {
  deadline: Deadline;
  now: () => number;
  bucket: Bucket | undefined;
  onClosed: (waitMs: number) => void;
}): Gate {
  const { deadline, now, bucket } = options;
  let closedUntil = 0;
  return {
    enter: async (spreadMs) => {
      do {
        while (closedUntil > now())
          await waitUntil(closedUntil + Math.random() * spreadMs, now(), deadline);
        if (bucket) await waitUntil(await bucket.take(), now(), deadline);
        // It may have been closed while this row waited for its turn.
      } while (closedUntil > now());
    },
    check: () => {
      const waitMs = closedUntil - now();
      if (waitMs > 0) throw new ProviderError('Provider is busy', 'limited', waitMs);
    },
    close: (waitMs) => {
      const wasOpen = closedUntil <= now();
      closedUntil = Math.max(closedUntil, now() + waitMs);
      // Twenty rows that hear the same say so once.
      if (!wasOpen) return;
      options.onClosed(waitMs);
      void bucket?.delay(Math.min(waitMs, longestSharedWaitMs));
    },
  };
}
