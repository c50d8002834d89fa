import { csvInvalid } from './reader.pure.ts';
import { sniffEncoding } from './sniff.pure.ts';

/** Bytes to look at before the encoding is known. */
const sniffBytes = 4096;

const newlinesIn = (text: string): number => text.split('\n').length - 1;

/**
 * Decodes an upload piece by piece. A byte order mark is dropped; bytes that are not what the encoding
 * allows are `csv_invalid` with the line of the last text that was. `onBytes` hears of every piece.
 */
export async function* decodeText(
  body: AsyncIterable<Uint8Array>,
  onBytes: (count: number) => void,
): AsyncGenerator<string> {
  let decoder: TextDecoder | undefined;
  let first: Uint8Array[] = [];
  let line = 1;
  const decode = (bytes: Uint8Array, last: boolean): string => {
    try {
      const text = (decoder ??= decoderFor(bytes)).decode(bytes, { stream: !last });
      line += newlinesIn(text);
      return text;
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      throw csvInvalid(
        line + goodLines(bytes),
        'The text is not UTF-8 here. Save the file as "CSV UTF-8".',
      );
    }
  };
  for await (const piece of body) {
    onBytes(piece.byteLength);
    if (decoder) {
      yield decode(piece, false);
      continue;
    }
    first.push(piece);
    const gathered = concat(first);
    if (gathered.byteLength < sniffBytes) continue;
    first = [];
    yield decode(gathered, false);
  }
  yield decode(concat(first), true);
}

/** Whole lines before the first that is not UTF-8; the rest of a character may stand at the start. */
function goodLines(bytes: Uint8Array): number {
  const start = bytes.findIndex((byte) => (byte & 0xc0) !== 0x80);
  let from = Math.max(0, start);
  for (let lines = 0; ; lines += 1) {
    const end = bytes.indexOf(0x0a, from);
    try {
      new TextDecoder('utf-8', { fatal: true, ignoreBOM: false }).decode(
        bytes.subarray(from, end < 0 ? bytes.length : end),
      );
    } catch {
      return lines;
    }
    if (end < 0) return lines;
    from = end + 1;
  }
}

function decoderFor(bytes: Uint8Array): TextDecoder {
  const sniffed = sniffEncoding(bytes);
  if ('refused' in sniffed) throw csvInvalid(1, sniffed.refused);
  return new TextDecoder(sniffed.encoding, { fatal: true, ignoreBOM: false });
}

function concat(pieces: Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(pieces.reduce((size, piece) => size + piece.byteLength, 0));
  let at = 0;
  for (const piece of pieces) {
    joined.set(piece, at);
    at += piece.byteLength;
  }
  return joined;
}
