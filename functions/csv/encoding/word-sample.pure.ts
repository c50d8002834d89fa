/** Bytes above these are never the second byte of a character, in any encoding: words end at them. */
const lastSeparator = 0x2f;
const [colon, question] = [0x3a, 0x3f];

/** Whether a byte ends a word, in any encoding. */
export const isSeparator = (byte: number): boolean =>
  byte <= lastSeparator || (byte >= colon && byte <= question);

const hashOfNothing = 0x811c_9dc5;

/** Longer ones are whole texts: they are left out, or one of them would be the sample. */
const maxWordBytes = 2048;
const maxWords = 1024;
const maxBytes = 32_768;

/**
 * Distinct words of a file that are not all ASCII, as bytes; of many those with the least hashes, so that
 * each has the same chance wherever it stands, and the same file gives the same sample however it comes.
 */
export class WordSample {
  /** By their hashes: of two words with the same one is enough. */
  #words = new Map<number, Uint8Array>();
  #bytes = 0;
  /** Words with a hash above are left out by now. */
  #limit = 0xffff_ffff;
  /** The word that goes on in the next bytes: its beginning, its hash so far, whether it is all ASCII so far. */
  #begun: Uint8Array = new Uint8Array();
  #hash = hashOfNothing;
  #isAscii = true;

  get words(): Uint8Array[] {
    return [...this.#words.values()];
  }

  add(piece: Uint8Array, isLast: boolean): void {
    let start = 0;
    let hash = this.#hash;
    let isAscii = this.#isAscii;
    for (let i = 0; i < piece.length; i += 1) {
      const byte = piece[i] ?? 0;
      if (!isSeparator(byte)) {
        // FNV-1a, 32 bits.
        hash = Math.imul(hash ^ byte, 0x0100_0193);
        isAscii &&= byte < 0x80;
        continue;
      }
      if (!isAscii) this.#end(hash >>> 0, piece, start, i);
      else if (this.#begun.length > 0) this.#begun = new Uint8Array();
      [start, hash, isAscii] = [i + 1, hashOfNothing, true];
    }
    if (isLast && !isAscii) this.#end(hash >>> 0, piece, start, piece.length);
    [this.#hash, this.#isAscii] = [hash, isAscii];
    this.#begin(piece.subarray(start));
  }

  #begin(part: Uint8Array): void {
    // One byte more than a word may have is enough to know that it is too long.
    const room = Math.max(0, maxWordBytes + 1 - this.#begun.length);
    this.#begun = concat(this.#begun, part.subarray(0, room));
  }

  #end(hash: number, piece: Uint8Array, start: number, end: number): void {
    const begun = this.#begun;
    if (begun.length > 0) this.#begun = new Uint8Array();
    if (hash > this.#limit || this.#words.has(hash)) return;
    if (begun.length + end - start > maxWordBytes) return;
    const word = concat(begun, piece.subarray(start, end));
    this.#words.set(hash, word);
    this.#bytes += word.length;
    if (this.#words.size > 2 * maxWords || this.#bytes > 2 * maxBytes) this.#drop();
  }

  #drop(): void {
    const all = [...this.#words].sort(([a], [b]) => a - b);
    let bytes = 0;
    const end = all.findIndex(([, word], i) => {
      bytes += word.length;
      return i >= maxWords || bytes > maxBytes;
    });
    const kept = all.slice(0, end);
    this.#words = new Map(kept);
    this.#bytes = kept.reduce((sum, [, word]) => sum + word.length, 0);
    this.#limit = kept.at(-1)?.[0] ?? this.#limit;
  }
}

/** The word that ends these bytes, whose beginning may stand in those before. */
export function wordAtEnd(before: Uint8Array, bytes: Uint8Array): Uint8Array {
  let start = bytes.length;
  const first = Math.max(0, bytes.length - maxWordBytes - 1);
  while (start > first && !isSeparator(bytes[start - 1] ?? 0)) start -= 1;
  const end = bytes.slice(start);
  return start > 0 || before.length > maxWordBytes ? end : concat(before, end);
}

export function concat(one: Uint8Array, two: Uint8Array): Uint8Array {
  const both = new Uint8Array(one.length + two.length);
  both.set(one);
  both.set(two, one.length);
  return both;
}
