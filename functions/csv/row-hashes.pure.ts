/** Rows in one block of hashes. */
const blockBits = 14;
const blockRows = 1 << blockBits;

/** A slot's bits that hold the number of a row: more rows than a file may have. */
const numberMask = (1 << 21) - 1;

const [bytesPerSlot, bytesPerHash] = [4, 8];
const firstSlots = 1 << 12;

/** Odd numbers whose bits are well mixed; source: xxHash, MurmurHash3. */
const [mixA, mixB, endA, endB] = [0x9e3779b1, 0x85ebca77, 0x85ebca6b, 0xc2b2ae35];

/** Spreads what the last steps have put into the high bits. Source: MurmurHash3, fmix32. */
function spread(hash: number): number {
  let bits = Math.imul(hash ^ (hash >>> 16), endA);
  bits = Math.imul(bits ^ (bits >>> 13), endB);
  return bits ^ (bits >>> 16);
}

/** Characters of a row whose bytes are written into memory that is used again. */
const longestBuffered = 16_384;
const bytesPerCharacter = 3;

/** The length of a row's JSON without its closing bracket and its trailing empty cells, which are all ASCII. */
function contentLength(json: string): number {
  let end = json.length - 1;
  while (json.endsWith(',""', end)) end -= 3;
  return end;
}

/**
 * Tells which rows of a file are the same as one above them, by two hashes of 32 bits a row: 8 bytes of each row,
 * and 4 of each slot of an open table. Two rows that differ are taken for one with a chance of 1 in 2^64.
 */
export class RowHashes {
  /** Two hashes a row, by its number from 0; blocks without a row that was looked up are missing. */
  readonly #blocks: (Int32Array | undefined)[] = [];
  /** Row numbers from 1, with a part of the second hash above them, so that most hashes need not be read; 0: free. */
  #slots = new Int32Array(firstSlots);
  #count = 0;
  #blockCount = 0;
  readonly #encoder = new TextEncoder();
  readonly #buffer = new Uint8Array(longestBuffered * bytesPerCharacter);
  readonly #view = new DataView(this.#buffer.buffer);

  /** What it holds. */
  get bytes(): number {
    const hashes = this.#blockCount * blockRows * bytesPerHash;
    return this.#buffer.length + this.#slots.length * bytesPerSlot + hashes;
  }

  /**
   * The number of the first row with the same cells, both counted from 0; undefined: it is this one. `json`: its
   * cells, of which trailing empty ones do not count.
   */
  firstLike(row: number, json: string): number | undefined {
    if (row >= numberMask) return undefined;
    const isLong = json.length > longestBuffered;
    const buffer = isLong ? new Uint8Array(json.length * bytesPerCharacter) : this.#buffer;
    const { written } = this.#encoder.encodeInto(json, buffer);
    const view = isLong ? new DataView(buffer.buffer) : this.#view;
    return this.#lookUp(row, view, written - json.length + contentLength(json));
  }

  #lookUp(row: number, view: DataView, length: number): number | undefined {
    let [a, b, at] = [length, 0, 0];
    for (; at + 3 < length; at += 4) {
      const word = view.getInt32(at);
      a = Math.imul(((a << 5) | (a >>> 27)) ^ word, mixA);
      b = Math.imul(((b << 13) | (b >>> 19)) ^ word, mixB);
    }
    for (; at < length; at += 1) {
      const byte = view.getUint8(at);
      a = Math.imul(((a << 5) | (a >>> 27)) ^ byte, mixA);
      b = Math.imul(((b << 13) | (b >>> 19)) ^ byte, mixB);
    }
    return this.#find(row, spread(a), spread(b));
  }

  #find(row: number, a: number, b: number): number | undefined {
    const slots = this.#slots;
    const last = slots.length - 1;
    const tag = b & ~numberMask;
    for (let slot = a & last; ; slot = (slot + 1) & last) {
      const found = slots[slot] ?? 0;
      if (found === 0) {
        slots[slot] = (row + 1) | tag;
        this.#keep(row, a, b);
        return undefined;
      }
      if ((found & ~numberMask) !== tag) continue;
      const number = (found & numberMask) - 1;
      const block = this.#blocks[number >>> blockBits];
      const at = (number & (blockRows - 1)) * 2;
      if (block?.[at] === a && block[at + 1] === b) return number;
    }
  }

  #keep(row: number, a: number, b: number): void {
    const index = row >>> blockBits;
    let block = this.#blocks[index];
    if (!block) {
      block = new Int32Array(blockRows * 2);
      this.#blocks[index] = block;
      this.#blockCount += 1;
    }
    const at = (row & (blockRows - 1)) * 2;
    [block[at], block[at + 1]] = [a, b];
    this.#count += 1;
    if (this.#count * 4 > this.#slots.length * 3) this.#grow();
  }

  #grow(): void {
    const before = this.#slots;
    const last = before.length * 2 - 1;
    const slots = new Int32Array(last + 1);
    for (const taken of before) {
      if (taken === 0) continue;
      const row = (taken & numberMask) - 1;
      let slot = (this.#blocks[row >>> blockBits]?.[(row & (blockRows - 1)) * 2] ?? 0) & last;
      while (slots[slot] !== 0) slot = (slot + 1) & last;
      slots[slot] = taken;
    }
    this.#slots = slots;
  }
}
