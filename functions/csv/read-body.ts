import { DomainError } from '../errors.ts';

/** Bytes in a piece: many small ones cost more than what is done with them. */
const pieceBytes = 65_536;

function interrupted(cause: unknown): never {
  throw new DomainError('upload_interrupted', 'The upload was interrupted. Send the file again.', {
    cause,
  });
}

/**
 * The body in pieces of 64 KiB, the last one shorter. A piece is good until the next one is asked
 * for: a byte stream is read into the same memory again. A client that goes away is `upload_interrupted`.
 */
export async function* readBody(
  body: ReadableStream<Uint8Array> | null,
): AsyncGenerator<Uint8Array> {
  if (!body) return;
  const filling = fillingReader(body);
  yield* filling ? fill(filling) : gather(body.getReader());
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

async function* fill(reader: FillingReader): AsyncGenerator<Uint8Array> {
  try {
    for (let memory: Uint8Array = new Uint8Array(pieceBytes); ;) {
      const { done, value } = await reader.readAtLeast(pieceBytes, memory).catch(interrupted);
      if (value && value.byteLength > 0) yield value;
      if (done || !value) return;
      memory = new Uint8Array(value.buffer);
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

async function* gather(reader: BodyReader): AsyncGenerator<Uint8Array> {
  const memory = new Uint8Array(pieceBytes);
  let filled = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read().catch(interrupted);
      if (done) break;
      for (let from = 0; from < value.byteLength;) {
        const part = value.subarray(from, from + pieceBytes - filled);
        memory.set(part, filled);
        [filled, from] = [filled + part.byteLength, from + part.byteLength];
        if (filled < pieceBytes) continue;
        yield memory;
        filled = 0;
      }
    }
    if (filled > 0) yield memory.subarray(0, filled);
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}
