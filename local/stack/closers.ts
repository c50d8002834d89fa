import { setTimeout as delay } from 'node:timers/promises';

type Closable = { close: () => Promise<void> };

async function attempt(close: () => unknown): Promise<void> {
  try {
    await close();
  } catch (error) {
    process.stderr.write(`While closing: ${String(error)}\n`);
  }
}

/** What a stack has started, to be closed in reverse order, whatever state it is in. */
export class Closers {
  #closers: (() => unknown)[] = [];
  #closing: Promise<void> | undefined;

  /** Closes `starting` later, be it finished by then, still under way or failed. */
  own<T extends Closable>(starting: Promise<T>): Promise<T> {
    // A failure reaches whoever awaits `starting`; here it only means that nothing is to be closed.
    const settled = starting.catch(() => undefined);
    this.#closers.push(async () => (await settled)?.close());
    return starting;
  }

  add(close: () => unknown): void {
    this.#closers.push(close);
  }

  get isClosing(): boolean {
    return this.#closing !== undefined;
  }

  /** Closes everything, each within `patienceMs`; what fails to close does not stop the rest. */
  close(patienceMs = 5_000): Promise<void> {
    this.#closing ??= this.#run(patienceMs);
    return this.#closing;
  }

  async #run(patienceMs: number): Promise<void> {
    for (let close = this.#closers.pop(); close; close = this.#closers.pop()) {
      const patience = new AbortController();
      const waiting = delay(patienceMs, undefined, { signal: patience.signal }).catch(
        () => undefined,
      );
      await Promise.race([attempt(close), waiting]);
      patience.abort();
    }
  }
}
