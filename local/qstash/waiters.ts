/** Callers that wait for an event, each with a limit to its patience. */
export class Waiters {
  #told = new Set<(closed: boolean) => void>();

  /** Resolves at the next `tell`; rejects, with `describe()`, after `timeoutMs` or on `close`. */
  wait(timeoutMs: number, describe: () => string): Promise<void> {
    return new Promise((resolve, reject) => {
      const fail = (why: string) => reject(new Error(`QStash ${why}: ${describe()}`));
      const told = (closed: boolean) => {
        clearTimeout(timer);
        this.#told.delete(told);
        if (closed) fail('was closed while draining');
        else resolve();
      };
      const timer = setTimeout(() => {
        this.#told.delete(told);
        fail(`is not idle after ${timeoutMs} ms`);
      }, timeoutMs);
      this.#told.add(told);
    });
  }

  tell(): void {
    for (const told of this.#told) told(false);
  }

  close(): void {
    for (const told of this.#told) told(true);
  }
}
