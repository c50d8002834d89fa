/** Workers: requests of one invocation that may wait for their headers at once; the next one queues. */
export const headerSlots = 6;

export type SlotFetch = <T>(
  url: string,
  init: RequestInit,
  timeoutMs: number,
  read: (response: Response) => Promise<T>,
  /** Asked when the slot is taken, before the request; what it throws is thrown, the slot is free. */
  check?: () => void | Promise<void>,
  /** Goes before what is not: a row that is half done, so that it is whole when the time is up. */
  urgent?: boolean,
) => Promise<T>;

export type ConnectionLimiter = {
  fetch: SlotFetch;
  /** Any other call that waits for headers, such as one to Redis: it holds a slot until it is done. */
  run: <T>(work: () => Promise<T>, urgent?: boolean) => Promise<T>;
};

/**
 * Keeps the platform's limit itself. `fetch`: a slot is taken before the request, freed when its headers
 * are there, and the timeout (ms) runs from the moment the slot is taken until `read` has finished; a
 * request whose `init.signal` aborts leaves the queue, or is cut, and rejects with the signal's reason.
 * Source: developers.cloudflare.com/workers/platform/limits (simultaneous open connections)
 */
export function createConnectionLimiter(
  size = headerSlots,
  fetcher: typeof fetch = fetch,
): ConnectionLimiter {
  const queue = createQueue(size);
  return {
    run: async (work, urgent) => {
      await queue.take(undefined, urgent);
      return work().finally(queue.give);
    },
    fetch: async (url, init, timeoutMs, read, check, urgent) => {
      const outer = init.signal ?? undefined;
      await queue.take(outer, urgent);
      try {
        await check?.();
      } catch (error) {
        queue.give();
        throw error;
      }
      const abort = new AbortController();
      const stop = () => abort.abort(outer?.reason);
      outer?.addEventListener('abort', stop, { once: true });
      if (outer?.aborted) stop();
      const timer = setTimeout(
        () => abort.abort(new DOMException('timed out', 'TimeoutError')),
        timeoutMs,
      );
      try {
        return await started(fetcher(url, { ...init, signal: abort.signal }), read, queue.give);
      } finally {
        clearTimeout(timer);
        outer?.removeEventListener('abort', stop);
        // A body that nobody read to its end would keep its connection.
        abort.abort();
      }
    },
  };
}

/**
 * The slot is free at the headers, once `read` has begun, and for a refusal once it was read: whoever has it next
 * knows of what `read` saw, such as a 429.
 */
async function started<T>(
  request: Promise<Response>,
  read: (response: Response) => Promise<T>,
  give: () => void,
): Promise<T> {
  let reading: Promise<T>;
  try {
    const response = await request;
    reading = read(response);
    if (!response.ok) await reading;
  } finally {
    give();
  }
  return reading;
}

/** So many turns at once, the urgent first, else first come; who gives up waiting does not get one. */
function createQueue(size: number) {
  let free = size;
  const [pressing, others] = [new Set<() => void>(), new Set<() => void>()];
  return {
    take: (signal?: AbortSignal, urgent = false): Promise<void> =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason as Error);
        if (free > 0) {
          free -= 1;
          return resolve();
        }
        const waiting = urgent ? pressing : others;
        const leave = () => {
          waiting.delete(turn);
          reject(signal?.reason as Error);
        };
        const turn = () => {
          signal?.removeEventListener('abort', leave);
          resolve();
        };
        waiting.add(turn);
        signal?.addEventListener('abort', leave, { once: true });
      }),
    give: (): void => {
      const [next] = pressing.size > 0 ? pressing : others;
      if (!next) free += 1;
      else {
        pressing.delete(next);
        others.delete(next);
        next();
      }
    },
  };
}
