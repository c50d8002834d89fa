/**
 * Does `work` until it succeeds, again after each of `pausesMs`. The last failure is thrown, and one that
 * `isPassing` says will not pass is thrown at once.
 */
export async function retry<T>(
  pausesMs: readonly number[],
  work: () => Promise<T>,
  isPassing: (error: unknown) => boolean = () => true,
): Promise<T> {
  for (const pauseMs of pausesMs) {
    try {
      return await work();
    } catch (error) {
      if (!isPassing(error)) throw error;
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }
  return work();
}
