/** Workers: requests of one invocation that may wait for their headers at once; the next one queues. */
export const headerSlots = 6;

export type SlotFetch = <T>(
  url: string,
  init: RequestInit,
  timeoutMs: number,
  read: (response: Response) => Promise<T>,
) => Promise<T>;

/**
 * A `fetch` that keeps the platform's limit itself: a slot is taken before the request, freed when its
 * headers are there, and the timeout runs from the moment the slot is taken until `read` has finished.
 * Source: developers.cloudflare.com/workers/platform/limits (simultaneous open connections)
 */
export function createSlots(size = headerSlots, fetcher: typeof fetch = fetch): SlotFetch {
  let free = size;
  const waiting: (() => void)[] = [];
  const take = async (): Promise<void> => {
    if (free > 0) free -= 1;
    else await new Promise<void>((resolve) => waiting.push(resolve));
  };
  const give = (): void => {
    const next = waiting.shift();
    if (next) next();
    else free += 1;
  };

  return async (url, init, timeoutMs, read) => {
    await take();
    const abort = new AbortController();
    const timer = setTimeout(
      () => abort.abort(new DOMException('timed out', 'TimeoutError')),
      timeoutMs,
    );
    try {
      const response = await fetcher(url, { ...init, signal: abort.signal }).finally(give);
      return await read(response);
    } finally {
      clearTimeout(timer);
      // A body that nobody read to its end would keep its connection.
      abort.abort();
    }
  };
}
