import { countOf, csvInvalid, exportAsCsv } from './limits.pure.ts';
import { type Newline, sniffNewline } from './dialect.pure.ts';
import { type Encoding, sniffEncoding } from './sniff.pure.ts';

/** Bytes to look at before the encoding is known. */
const sniffBytes = 4096;

/**
 * Text of whole characters, never cut between a CR and what follows it. `bytes`: what came of the file
 * since the piece before; `line`: the one in which the text ends, counted from 1 as an editor does.
 */
export type TextPiece = { text: string; bytes: number; line: number };

/**
 * Turns an upload's bytes, which come in pieces cut anywhere, into text. A byte order mark is dropped.
 * A file that is ASCII up to the first byte that is not UTF-8 is Windows-1252. Bytes that the encoding
 * does not allow, and NULs, are `csv_invalid`. A piece's memory may be used again once the next is asked for.
 */
export async function* decode(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<TextPiece> {
  const decoder = new Decoder();
  for await (const piece of pieces) yield decoder.push(piece, false);
  yield decoder.push(new Uint8Array(), true);
}

class Decoder {
  #encoding: Encoding | 'windows-1252' | undefined;
  #decoder: TextDecoder | undefined;
  /** The beginning before the encoding is known, then the first bytes of a character. */
  #heldBytes: Uint8Array = new Uint8Array();
  /** A CR at the end waits for what follows: LF, quote or data. */
  #heldCr = '';
  /** A character of several bytes, or a mark, has shown that the file is UTF-8. */
  #isProvenUtf8 = false;
  #newline: Newline | undefined;
  /** The line in which the text so far ends. */
  #line = 1;

  push(piece: Uint8Array, isLast: boolean): TextPiece {
    const text = this.#textOf(piece, isLast);
    this.#line = this.#lineAfter(text);
    return { text, bytes: piece.byteLength, line: this.#line };
  }

  #textOf(piece: Uint8Array, isLast: boolean): string {
    const bytes = this.#joined(piece);
    if (this.#encoding === undefined && bytes.length < sniffBytes && !isLast) {
      this.#heldBytes = bytes === piece ? piece.slice() : bytes;
      return '';
    }
    const mark = this.#encoding === undefined ? this.#begin(bytes) : 0;
    const decoded = this.#heldCr + this.#decodeWhole(bytes.subarray(mark), isLast);
    this.#heldCr = !isLast && decoded.endsWith('\r') ? '\r' : '';
    return this.#heldCr === '' ? decoded : decoded.slice(0, -1);
  }

  #joined(piece: Uint8Array): Uint8Array {
    if (this.#heldBytes.length === 0) return piece;
    const joined = new Uint8Array(this.#heldBytes.length + piece.length);
    joined.set(this.#heldBytes);
    joined.set(piece, this.#heldBytes.length);
    this.#heldBytes = new Uint8Array();
    return joined;
  }

  /** Settles the encoding; gives the length of the byte order mark. */
  #begin(bytes: Uint8Array): number {
    const sniffed = sniffEncoding(bytes);
    if ('refused' in sniffed) throw csvInvalid(1, sniffed.refused);
    this.#use(sniffed.encoding);
    this.#isProvenUtf8 = sniffed.mark > 0;
    return sniffed.mark;
  }

  #use(encoding: Encoding | 'windows-1252'): void {
    this.#encoding = encoding;
    // ignoreBOM keeps U+FEFF: each piece is decoded by itself, and only the file's first is a mark.
    this.#decoder = new TextDecoder(encoding, { fatal: true, ignoreBOM: true });
  }

  /** Decodes up to the last whole character and holds the rest back; at the end that is an error. */
  #decodeWhole(bytes: Uint8Array, isLast: boolean): string {
    const whole = isLast ? bytes.length : wholeLength(bytes, this.#encoding ?? 'utf-8');
    if (whole === bytes.length) return this.#decode(bytes);
    this.#heldBytes = bytes.slice(whole);
    return this.#decode(bytes.subarray(0, whole));
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
      throw this.#invalidAfter(text.slice(0, nul), `The file is binary, not text. ${exportAsCsv}`);
    return text;
  }

  /** `bytes` are not what the encoding allows: the file is Windows-1252, or broken. */
  #recover(bytes: Uint8Array): string {
    if (this.#encoding === 'utf-8' && !this.#isProvenUtf8 && startsInvalid(bytes)) {
      this.#use('windows-1252');
      return this.#decode(bytes);
    }
    const text = new TextDecoder(this.#encoding).decode(bytes);
    const name = this.#encoding === 'utf-8' ? 'UTF-8' : 'UTF-16';
    throw this.#invalidAfter(
      text.slice(0, text.indexOf('\ufffd')),
      `The text is not ${name} here. Save the file as "CSV UTF-8".`,
    );
  }

  #invalidAfter(good: string, reason: string) {
    return csvInvalid(this.#lineAfter(this.#heldCr + good), reason);
  }

  #lineAfter(text: string): number {
    this.#newline ??= sniffNewline(text);
    return this.#line + (this.#newline === undefined ? 0 : countOf(text, this.#newline));
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
    let lead = length - 1;
    while (lead > length - 4 && ((bytes[lead] ?? 0) & 0xc0) === 0x80) lead -= 1;
    return lead >= 0 && utf8Length(bytes[lead] ?? 0) > length - lead ? lead : length;
  }
  const even = length - (length % 2);
  const high = bytes[encoding === 'utf-16le' ? even - 1 : even - 2] ?? 0;
  return (high & 0xfc) === 0xd8 ? even - 2 : even;
}

/** Whether the first byte that is not ASCII begins no UTF-8 character. */
function startsInvalid(bytes: Uint8Array): boolean {
  const start = bytes.findIndex((byte) => byte >= 0x80);
  if (start < 0) return false;
  const character = bytes.subarray(start, start + utf8Length(bytes[start] ?? 0));
  try {
    new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(character);
    return false;
  } catch {
    return true;
  }
}
