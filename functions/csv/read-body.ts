import { DomainError } from '../errors.ts';

/** Bytes in a piece: many small ones cost more than what is done with them. */
const pieceBytes = 65_536;

function interrupted(cause: unknown): never {
  throw new DomainError('upload_interrupted', 'The upload was interrupted. Send the file again.', {
    cause,
  });
}

/** Waits for a read, of which the first of a piece shows whether anything comes. It may throw before the read ends. */
type Wait = <T>(read: Promise<T>, of: { isFirst: boolean }) => Promise<T>;

/**
 * The body in pieces of 64 KiB, the last one shorter. A piece is good until the next one is asked
 * for: a byte stream is read into the same memory again. A client that goes away is `upload_interrupted`.
 * What `wait` throws ends the body at once.
 */
export async function* readBody(
  body: ReadableStream<Uint8Array> | null,
  wait: Wait = (read) => read,
): AsyncGenerator<Uint8Array> {
  if (!body) return;
  const filling = fillingReader(body);
  yield* filling ? fill(filling, wait) : gather(body.getReader(), wait);
}

type BodyReader = ReadableStreamDefaultReader<Uint8Array>;

/** workerd's own way to fill a buffer; Node's `read(view, { min })` loses the last piece (24.21). */
type FillingReader = {
  readAtLeast: (
    bytes: number,
    view: Uint8Array,
  ) => Promise<{ done: boolean; value?: Uint8Array | undefined }>;
  cancel: () => Promise<void>;
  releaseLock: () => void;
};

/** Undefined outside workerd, and for a stream that is none of bytes. */
function fillingReader(body: ReadableStream<Uint8Array>): FillingReader | undefined {
  try {
    const reader = body.getReader({ mode: 'byob' }) as unknown as FillingReader;
    if (typeof reader.readAtLeast === 'function') return reader;
    reader.releaseLock();
  } catch {
    // Not a byte stream: it is still free for a reader of the other kind.
  }
  return undefined;
}

async function* fill(reader: FillingReader, wait: Wait): AsyncGenerator<Uint8Array> {
  let memory = new ArrayBuffer(pieceBytes);
  let [filled, isDone] = [0, false];
  try {
    while (!isDone) {
      const isFirst = filled === 0;
      const free = new Uint8Array(memory, filled);
      const read = reader.readAtLeast(isFirst ? 1 : free.byteLength, free).catch(interrupted);
      const { done, value } = await wait(read, { isFirst });
      isDone = done || !value;
      if (value) {
        memory = value.buffer as ArrayBuffer;
        filled += value.byteLength;
      }
      if (filled === 0 || (filled < pieceBytes && !isDone)) continue;
      yield new Uint8Array(memory, 0, filled);
      filled = 0;
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

async function* gather(reader: BodyReader, wait: Wait): AsyncGenerator<Uint8Array> {
  const memory = new Uint8Array(pieceBytes);
  let [filled, isFirst] = [0, true];
  try {
    for (;;) {
      const read = reader.read().catch(interrupted);
      const { done, value } = await wait(read, { isFirst });
      if (done) break;
      isFirst = false;
      for (let from = 0; from < value.byteLength;) {
        const part = value.subarray(from, from + pieceBytes - filled);
        memory.set(part, filled);
        [filled, from] = [filled + part.byteLength, from + part.byteLength];
        if (filled < pieceBytes) continue;
        yield memory;
        [filled, isFirst] = [0, true];
      }
    }
    if (filled > 0) yield memory.subarray(0, filled);
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}
