import { csvInvalid, exportAsCsv, lineEndsIn } from './limits.pure.ts';
import { type Encoding, sniffEncoding } from './sniff.pure.ts';

/** Bytes to look at before the encoding is known. */
const sniffBytes = 4096;

/**
 * Turns an upload's bytes, which come in pieces cut anywhere, into text. A byte order mark is dropped.
 * A file that is ASCII up to the first byte that is no UTF-8 is Windows-1252. Bytes that the encoding
 * does not allow, and NULs, are `csv_invalid`; `lineSoFar` says in which line the next text begins.
 */
export class CsvDecoder {
  readonly #lineSoFar: () => number;
  #encoding: Encoding | 'windows-1252' | undefined;
  #decoder: TextDecoder | undefined;
  /** The beginning before the encoding is known, then the first bytes of a character. */
  #held: Uint8Array = new Uint8Array();
  /** A character of several bytes, or a mark, has shown that the file is UTF-8. */
  #isProvenUtf8 = false;

  constructor(lineSoFar: () => number) {
    this.#lineSoFar = lineSoFar;
  }

  /** The text of whole characters so far; the piece may be overwritten afterwards. */
  push(piece: Uint8Array): string {
    const bytes = this.#joined(piece);
    if (this.#encoding === undefined) {
      if (bytes.length < sniffBytes) {
        this.#held = bytes === piece ? piece.slice() : bytes;
        return '';
      }
      return this.#begin(bytes, false);
    }
    return this.#decodeWhole(bytes);
  }

  /** The rest; a character that is cut off is an error. */
  end(): string {
    const rest = this.#held;
    this.#held = new Uint8Array();
    return this.#encoding === undefined ? this.#begin(rest, true) : this.#decode(rest);
  }

  #joined(piece: Uint8Array): Uint8Array {
    if (this.#held.length === 0) return piece;
    const joined = new Uint8Array(this.#held.length + piece.length);
    joined.set(this.#held);
    joined.set(piece, this.#held.length);
    this.#held = new Uint8Array();
    return joined;
  }

  #begin(bytes: Uint8Array, last: boolean): string {
    const sniffed = sniffEncoding(bytes);
    if ('refused' in sniffed) throw csvInvalid(1, sniffed.refused);
    this.#use(sniffed.encoding);
    this.#isProvenUtf8 = sniffed.mark > 0;
    const text = bytes.subarray(sniffed.mark);
    return last ? this.#decode(text) : this.#decodeWhole(text);
  }

  #use(encoding: Encoding | 'windows-1252'): void {
    this.#encoding = encoding;
    // ignoreBOM keeps U+FEFF: each piece is decoded by itself, and only the file's first is a mark.
    this.#decoder = new TextDecoder(encoding, { fatal: true, ignoreBOM: true });
  }

  /** Decodes up to the last whole character and holds the rest back. */
  #decodeWhole(bytes: Uint8Array): string {
    const whole = wholeLength(bytes, this.#encoding ?? 'utf-8');
    if (whole < bytes.length) this.#held = bytes.slice(whole);
    return this.#decode(whole < bytes.length ? bytes.subarray(0, whole) : bytes);
  }

  #decode(bytes: Uint8Array): string {
    let text: string;
    try {
      text = this.#decoder?.decode(bytes) ?? '';
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      return this.#recover(bytes);
    }
    if (this.#encoding === 'utf-8' && text.length !== bytes.length) this.#isProvenUtf8 = true;
    const nul = text.indexOf('\0');
    if (nul >= 0)
      throw csvInvalid(
        this.#lineSoFar() + lineEndsIn(text.slice(0, nul)),
        `The file is binary, not text. ${exportAsCsv}`,
      );
    return text;
  }

  /** `bytes` are not what the encoding allows: the file is Windows-1252, or broken. */
  #recover(bytes: Uint8Array): string {
    if (this.#encoding === 'utf-8' && !this.#isProvenUtf8 && startsInvalid(bytes)) {
      this.#use('windows-1252');
      return this.#decode(bytes);
    }
    const text = new TextDecoder(this.#encoding).decode(bytes);
    const good = text.slice(0, text.indexOf('\ufffd'));
    const name = this.#encoding === 'utf-8' ? 'UTF-8' : 'UTF-16';
    throw csvInvalid(
      this.#lineSoFar() + lineEndsIn(good),
      `The text is not ${name} here. Save the file as "CSV UTF-8".`,
    );
  }
}

/** Bytes that a UTF-8 character takes, by its first; 1 for a byte that cannot begin one. */
function utf8Length(lead: number): number {
  if (lead < 0xc2 || lead > 0xf4) return 1;
  if (lead < 0xe0) return 2;
  return lead < 0xf0 ? 3 : 4;
}

/** How many bytes hold whole characters: the last one may be cut off. */
function wholeLength(bytes: Uint8Array, encoding: Encoding | 'windows-1252'): number {
  const { length } = bytes;
  if (encoding === 'windows-1252') return length;
  if (encoding === 'utf-8') {
    let at = length - 1;
    while (at > length - 4 && ((bytes[at] ?? 0) & 0xc0) === 0x80) at -= 1;
    return at >= 0 && utf8Length(bytes[at] ?? 0) > length - at ? at : length;
  }
  const even = length - (length % 2);
  const high = bytes[encoding === 'utf-16le' ? even - 1 : even - 2] ?? 0;
  return (high & 0xfc) === 0xd8 ? even - 2 : even;
}

/** Whether the first byte that is not ASCII begins no UTF-8 character. */
function startsInvalid(bytes: Uint8Array): boolean {
  const at = bytes.findIndex((byte) => byte >= 0x80);
  if (at < 0) return false;
  const character = bytes.subarray(at, at + utf8Length(bytes[at] ?? 0));
  try {
    new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(character);
    return false;
  } catch {
    return true;
  }
}
