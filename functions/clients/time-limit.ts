/** How long a call to QStash may take; its SDK knows no limit. */
export const queueTimeoutMs = 8000;

/** Rejects with a `TimeoutError` when `work` takes longer; the work itself goes on unheard. */
export async function timeLimit<T>(ms: number, work: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new DOMException('timed out', 'TimeoutError')), ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
