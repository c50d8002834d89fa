import { confirm, detect } from './encoding/detect.pure.ts';
import { encodingName, encodingOf, isUnicode } from './encoding/labels.pure.ts';
import { markOf, otherThanCsv, type Unicode, unicodeOf } from './first-bytes.pure.ts';
import { countOf, csvInvalid, exportAsCsv } from './limits.pure.ts';
import { type Newline, sniffNewline } from './dialect.pure.ts';
import { surveyUtf8, wholeLength } from './utf.pure.ts';
import { wordAtEnd, WordSample } from './encoding/word-sample.pure.ts';

/** Bytes to look at before the encoding is known. */
const sniffBytes = 4096;

/** Bytes, from the first that is no UTF-8 on, to look at before a legacy encoding is settled. */
const sampleBytes = 65_536;

/**
 * Text of whole characters, never cut between a CR and what follows it. `bytes`: what came of the file
 * since the piece before; `line`: the one in which the text ends, counted from 1 as an editor does;
 * `encoding`: what it is read as, by its WHATWG name.
 */
export type TextPiece = { text: string; bytes: number; line: number; encoding: string };

/**
 * Turns an upload's bytes, which come in pieces cut anywhere, into text; a byte order mark is dropped.
 * `charset` is what the sender says: believed, unless a mark says otherwise. A file that turns out not to
 * be UTF-8 is read in the legacy encoding that its words are in, or is `encoding_unknown`. Bytes that the
 * encoding does not allow, NULs, and what is no CSV are `csv_invalid`. A piece's memory may be used again
 * once the next is asked for.
 */
export async function* decode(
  pieces: AsyncIterable<Uint8Array>,
  charset?: string,
): AsyncGenerator<TextPiece> {
  const decoder = new Decoder(charset);
  for await (const piece of pieces) yield decoder.push(piece, false);
  yield decoder.push(new Uint8Array(), true);
}

class Decoder {
  readonly #declared: string | undefined;
  #encoding: string | undefined;
  #decoder: TextDecoder | undefined;
  /** Bytes that wait for more: the beginning, the first bytes of a character, or a sample. */
  #heldBytes: Uint8Array = new Uint8Array();
  /** Held bytes are looked at once there are so many. */
  #wanted = sniffBytes;
  /** A CR at the end waits for what follows: LF, quote or data. */
  #heldCr = '';
  /** A character of several bytes, or a mark, has shown that the file is UTF-8. */
  #isProvenUtf8 = false;
  /** The word in which the text so far ends, as long as that is all ASCII. */
  #wordBefore: Uint8Array = new Uint8Array();
  /** Words of a file whose legacy encoding was found by them. */
  #sample: WordSample | undefined;
  #newline: Newline | undefined;
  /** The line in which the text so far ends. */
  #line = 1;

  constructor(charset: string | undefined) {
    this.#declared = charset === undefined ? undefined : encodingOf(charset);
  }

  push(piece: Uint8Array, isLast: boolean): TextPiece {
    const text = this.#textOf(piece, isLast);
    this.#line = this.#lineAfter(text);
    const encoding = this.#encoding ?? 'utf-8';
    return { text, bytes: piece.byteLength, line: this.#line, encoding };
  }

  #textOf(piece: Uint8Array, isLast: boolean): string {
    const bytes = this.#joined(piece);
    if (bytes.length < this.#wanted && !isLast) {
      this.#heldBytes = bytes === piece ? piece.slice() : bytes;
      return '';
    }
    this.#wanted = 0;
    const mark = this.#encoding === undefined ? this.#begin(bytes) : 0;
    const decoded = this.#heldCr + this.#decode(bytes.subarray(mark), isLast);
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

  /** Settles the encoding at first; gives the length of the byte order mark. */
  #begin(bytes: Uint8Array): number {
    const first = bytes.subarray(0, sniffBytes);
    const marked = markOf(first);
    const encoding = marked?.encoding ?? this.#declared ?? unicodeOf(first);
    const mark = marked?.mark ?? 0;
    const beginning = new TextDecoder(encoding).decode(first.subarray(mark)).trimStart();
    const refused = otherThanCsv(first, beginning);
    if (refused !== undefined) throw csvInvalid(1, refused);
    this.#use(encoding);
    this.#isProvenUtf8 = mark > 0 || this.#declared !== undefined;
    return mark;
  }

  #use(encoding: string): void {
    this.#encoding = encoding;
    // ignoreBOM keeps U+FEFF: each piece is decoded by itself, and only the file's first is a mark.
    this.#decoder = new TextDecoder(encoding, { fatal: true, ignoreBOM: true });
  }

  #decode(bytes: Uint8Array, isLast: boolean): string {
    const encoding = this.#encoding ?? 'utf-8';
    if (!isUnicode(encoding)) {
      this.#sample?.add(bytes, isLast);
      if (isLast && this.#sample) confirm(this.#sample.words, encoding);
      return this.#decodeLegacy(bytes, isLast);
    }
    let whole = isLast ? bytes.length : wholeLength(bytes, encoding);
    let text: string;
    try {
      text = this.#decoder?.decode(bytes.subarray(0, whole)) ?? '';
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      return this.#recover(bytes, isLast, encoding);
    }
    if (encoding === 'utf-8' && !this.#isProvenUtf8) {
      const escape = text.lastIndexOf('\u001b');
      if (escape >= 0 && toJapanese.some((each) => text.includes(each)))
        return this.#switch('iso-2022-jp', bytes, isLast);
      this.#isProvenUtf8 = text.length !== whole;
      // Half of a sequence that may switch to Japanese waits; all before it is ASCII.
      if (!isLast && !this.#isProvenUtf8 && escape >= 0 && escape >= whole - 2) whole = escape;
    }
    if (!this.#isProvenUtf8)
      this.#wordBefore = wordAtEnd(this.#wordBefore, bytes.subarray(0, whole));
    if (whole < bytes.length) this.#heldBytes = bytes.slice(whole);
    return this.#checked(text.length > whole ? text.slice(0, whole) : text);
  }

  #checked(text: string): string {
    const nul = text.indexOf('\0');
    if (nul >= 0) throw this.#invalidAfter(text.slice(0, nul), binary);
    return text;
  }

  /** `bytes` are not what the encoding allows: the file is in another one, or broken. */
  #recover(bytes: Uint8Array, isLast: boolean, encoding: Unicode): string {
    if (encoding === 'utf-8' && !this.#isProvenUtf8) {
      const { firstBad, bad, good } = surveyUtf8(bytes);
      if (!isLast && bytes.length < firstBad + sampleBytes) {
        [this.#heldBytes, this.#wanted] = [bytes.slice(), firstBad + sampleBytes];
        return '';
      }
      const nul = bytes.indexOf(0);
      if (nul >= 0) throw this.#invalidAfter(latin1(bytes.subarray(0, nul)), binary);
      if (good < bad) return this.#switch(undefined, bytes, isLast);
    }
    const text = new TextDecoder(encoding, { fatal: false, ignoreBOM: true }).decode(bytes);
    throw this.#invalidAfter(text.slice(0, text.indexOf('\ufffd')), notAs(encoding));
  }

  /** Reads on from `bytes` in a legacy encoding: the given one, or the one that their words are in. */
  #switch(encoding: string | undefined, bytes: Uint8Array, isLast: boolean): string {
    if (encoding !== undefined) this.#use(encoding);
    else {
      const sample = new WordSample();
      sample.add(this.#wordBefore, false);
      sample.add(bytes, isLast);
      this.#use(detect(sample.words));
      if (!isLast) this.#sample = sample;
    }
    return this.#decodeLegacy(bytes, isLast);
  }

  #decodeLegacy(bytes: Uint8Array, isLast: boolean): string {
    let text: string;
    try {
      text = this.#decoder?.decode(bytes, { stream: !isLast }) ?? '';
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      const encoding = this.#encoding ?? '';
      const good = bytes.subarray(0, badLine(bytes, encoding));
      throw this.#invalidAfter(latin1(good), notAs(encoding));
    }
    return this.#checked(text);
  }

  #invalidAfter(good: string, reason: string) {
    return csvInvalid(this.#lineAfter(this.#heldCr + good), reason);
  }

  #lineAfter(text: string): number {
    this.#newline ??= sniffNewline(text);
    return this.#line + (this.#newline === undefined ? 0 : countOf(text, this.#newline));
  }
}

const binary = `The file is binary, not text. ${exportAsCsv}`;

const notAs = (encoding: string): string =>
  `The text is not ${isUnicode(encoding) ? encoding.slice(0, 6).toUpperCase() : encodingName(encoding)} here. Save the file as "CSV UTF-8".`;

/** How ISO-2022-JP, which is all ASCII bytes, switches to Japanese. */
const toJapanese = ['\u001b$B', '\u001b$@'];

/** Only its line ends matter. */
const latin1 = (bytes: Uint8Array): string => new TextDecoder('latin1').decode(bytes);

/** Where the first line begins that is not in the encoding; the first of all may begin within a character. */
function badLine(bytes: Uint8Array, encoding: string): number {
  const isGood = (from: number, to: number): boolean => {
    try {
      new TextDecoder(encoding, { fatal: true, ignoreBOM: true }).decode(bytes.subarray(from, to));
      return true;
    } catch {
      return false;
    }
  };
  let start = 0;
  for (const [i, byte] of bytes.entries()) {
    if (byte !== 0x0a && byte !== 0x0d) continue;
    if (start === 0 ? ![0, 1, 2, 3].some((from) => isGood(from, i)) : !isGood(start, i))
      return start;
    start = i + 1;
  }
  return start;
}
