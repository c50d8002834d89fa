import { Redis } from '@upstash/redis/cloudflare';

/** The longest wait for an answer, 1.5 s unless the isolate is busy. */
const turns = 6;
const turnMs = 250;

/**
 * `AbortSignal.timeout` that does not hold a busy isolate against Redis: after a stall timers are due
 * before an answer that has long arrived is read. Each turn is a chance to read what has come.
 */
function patience(): AbortSignal {
  const abort = new AbortController();
  let left = turns;
  const wait = (): void => {
    if (left === 0) return abort.abort(new DOMException('timed out', 'TimeoutError'));
    left -= 1;
    setTimeout(wait, turnMs);
  };
  wait();
  return abort.signal;
}

/** Redis over REST. It keeps rates and progress, never money; every use has an answer for its absence. */
export const createRedis = (options: { url: string; token: string }): Redis =>
  new Redis({
    url: options.url,
    token: options.token,
    retry: { retries: 1, backoff: () => 50 },
    enableTelemetry: false,
    signal: patience,
  });
