import { setTimeout as delay } from 'node:timers/promises';

/**
 * Waits until `/readyz` answers 200.
 * @throws Error with the Worker's own last answer after `patienceMs`, or at once if `signal` aborts.
 */
export async function untilReady(api: string, patienceMs: number, signal: AbortSignal) {
  const deadline = Date.now() + patienceMs;
  for (let last = 'no answer'; ; await delay(50, undefined, { signal })) {
    try {
      const timeout = AbortSignal.any([signal, AbortSignal.timeout(10_000)]);
      const answer = await fetch(`${api}/readyz`, { signal: timeout });
      const text = await answer.text();
      if (answer.status === 200) return;
      last = `${answer.status} ${text}`;
    } catch (error) {
      signal.throwIfAborted();
      const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
      last = cause instanceof Error ? cause.message : String(cause);
    }
    if (Date.now() > deadline) throw new Error(`The Worker is not ready: GET /readyz → ${last}`);
  }
}
