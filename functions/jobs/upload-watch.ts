import { DomainError } from '../errors.ts';

/** A client that sends nothing for so long is given up, and one whose piece of 64 KiB takes longer. */
const silenceMs = 30_000;
const pieceMs = 60_000;

const tooSlow = () =>
  new DomainError(
    'upload_interrupted',
    `Too little of the file came: nothing for ${silenceMs / 1000} s, or less than 64 KiB in ${pieceMs / 1000} s. Send it again.`,
  );

/** Watches over the body of an upload: it ends when its client is too slow, or as soon as `end` is called. */
export class UploadWatch {
  readonly #ended = Promise.withResolvers<never>();
  /** Of this piece; what the upload itself takes between its reads is not the client's. */
  #waitedMs = 0;

  constructor() {
    // Nobody may be reading when it ends: the next read hears of it.
    this.#ended.promise.catch(() => undefined);
  }

  end(error: DomainError): void {
    this.#ended.reject(error);
  }

  /** Waits for a read of the body, the first one of a piece or a later one. */
  wait = async <T>(read: Promise<T>, { isFirst }: { isFirst: boolean }): Promise<T> => {
    if (isFirst) this.#waitedMs = 0;
    const limitMs = isFirst ? silenceMs : pieceMs - this.#waitedMs;
    const sinceMs = performance.now();
    const timer = setTimeout(() => this.end(tooSlow()), limitMs);
    try {
      return await Promise.race([this.#ended.promise, read]);
    } finally {
      clearTimeout(timer);
      this.#waitedMs += performance.now() - sinceMs;
    }
  };
}
