import { badLine } from './encoding/bad-line.pure.ts';
import { confirm, detect } from './encoding/detect.pure.ts';
import {
  encodingDoubted,
  encodingName,
  encodingOf,
  isSingleByte,
  isUnicode,
} from './encoding/labels.pure.ts';
import { isUtf8Instead } from './encoding/sent-utf8.pure.ts';
import { markOf, otherThanCsv, type Unicode, unicodeOf } from './first-bytes.pure.ts';
import { countOf, csvInvalid, exportAsCsv } from './limits.pure.ts';
import { type Newline, sniffNewline } from './dialect.pure.ts';
import { beyondAscii, surveyUtf8, wholeLength } from './utf.pure.ts';
import { concat, wordAtEnd, WordSample } from './encoding/word-sample.pure.ts';

/** Bytes to look at before the encoding is known. */
const sniffBytes = 4096;

/** Bytes, from the first that is no UTF-8 on, to look at before a legacy encoding is settled. */
const sampleBytes = 65_536;

/**
 * Text of whole characters, never cut between a CR and what follows it. `bytes`: what came of the file
 * since the piece before; `encoding`: what it is read as, by its WHATWG name; `sentAs`: the charset that was not believed.
 */
export type TextPiece = {
  text: string;
  bytes: number;
  encoding: string;
  sentAs?: string;
};

/**
 * Turns an upload's bytes, which come in pieces cut anywhere, into text; a byte order mark is dropped.
 * `charset` is what the sender says: believed, unless a mark says otherwise, or its bytes are UTF-8 and any
 * bytes are text in that charset. A file that turns out not to
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
  readonly #charset: string | undefined;
  readonly #declared: string | undefined;
  /** Declared, and to be believed unless the file is UTF-8; so far it is ASCII. */
  #doubted: string | undefined;
  #sentAs: string | undefined;
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
    this.#charset = charset;
    this.#declared = charset === undefined ? undefined : encodingOf(charset);
  }

  push(piece: Uint8Array, isLast: boolean): TextPiece {
    const text = this.#textOf(piece, isLast);
    this.#line = this.#lineAfter(text);
    const encoding = this.#encoding ?? 'utf-8';
    const read = { text, bytes: piece.byteLength, encoding };
    return this.#sentAs === undefined ? read : { ...read, sentAs: this.#sentAs };
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
    const joined = concat(this.#heldBytes, piece);
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
    if (marked || !isSingleByte(encoding)) this.#use(encoding);
    else {
      this.#doubted = encoding;
      this.#use('utf-8');
    }
    this.#isProvenUtf8 = mark > 0 || (this.#declared !== undefined && this.#doubted === undefined);
    return mark;
  }

  #use(encoding: string): void {
    this.#encoding = encoding;
    // ignoreBOM keeps U+FEFF: each piece is decoded by itself, and only the file's first is a mark.
    this.#decoder = new TextDecoder(encoding, { fatal: true, ignoreBOM: true });
  }

  #decode(bytes: Uint8Array, isLast: boolean): string {
    if (this.#doubted !== undefined) {
      const first = beyondAscii(bytes);
      if (first >= 0) return this.#settle(this.#doubted, bytes, first, isLast);
    }
    const encoding = this.#encoding ?? 'utf-8';
    if (!isUnicode(encoding)) {
      this.#sample?.add(bytes, isLast);
      if (isLast && this.#sample) this.#confirm(this.#sample.words, encoding);
      return this.#decodeLegacy(bytes, isLast);
    }
    if (encoding === 'utf-8' && !this.#isProvenUtf8 && !isLast) {
      // A character or two may be UTF-8 by chance.
      const first = beyondAscii(bytes);
      if (first >= 0 && this.#awaits(bytes, first)) return '';
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
      const escape = this.#declared === undefined ? text.lastIndexOf('\u001b') : -1;
      if (escape >= 0 && toJapanese.some((each) => text.includes(each))) {
        this.#use('iso-2022-jp');
        return this.#decodeLegacy(bytes, isLast);
      }
      this.#isProvenUtf8 = text.length !== whole;
      // Half of a sequence that may switch to Japanese waits; all before it is ASCII.
      if (!isLast && !this.#isProvenUtf8 && escape >= 0 && escape >= whole - 2) whole = escape;
    }
    if (!this.#isProvenUtf8)
      this.#wordBefore = wordAtEnd(this.#wordBefore, bytes.subarray(0, whole));
    if (whole < bytes.length) this.#heldBytes = bytes.slice(whole);
    return this.#checked(text.length > whole ? text.slice(0, whole) : text);
  }

  /** Whether a sample from `first` on is not there yet, and all is held until it is. */
  #awaits(bytes: Uint8Array, first: number): boolean {
    if (bytes.length >= first + sampleBytes) return false;
    [this.#heldBytes, this.#wanted] = [bytes.slice(), first + sampleBytes];
    return true;
  }

  /** Believes what is declared, or finds that it is UTF-8, by what follows the `first` byte beyond ASCII. */
  #settle(declared: string, bytes: Uint8Array, first: number, isLast: boolean): string {
    if (!isLast && this.#awaits(bytes, first)) return '';
    this.#doubted = undefined;
    const sample = this.#sampleOf(bytes, isLast);
    if (isUtf8Instead(sample.words, declared)) {
      [this.#sentAs, this.#isProvenUtf8] = [this.#charset, true];
      return this.#decode(bytes, isLast);
    }
    this.#use(declared);
    if (!isLast) this.#sample = sample;
    return this.#decodeLegacy(bytes, isLast);
  }

  #confirm(words: readonly Uint8Array[], encoding: string): void {
    if (this.#declared === undefined) confirm(words, encoding);
    else if (isUtf8Instead(words, encoding)) throw encodingDoubted(encoding);
  }

  #sampleOf(bytes: Uint8Array, isLast: boolean): WordSample {
    const sample = new WordSample();
    sample.add(this.#wordBefore, false);
    sample.add(bytes, isLast);
    return sample;
  }

  #checked(text: string): string {
    const nul = text.indexOf('\0');
    if (nul >= 0) throw this.#invalidAfter(text.slice(0, nul), binary);
    return text;
  }

  /** `bytes` are not what the encoding allows: the file is in another one, or broken. */
  #recover(bytes: Uint8Array, isLast: boolean, encoding: Unicode): string {
    if (encoding === 'utf-8' && !this.#isProvenUtf8) {
      const { firstBad, isBroken } = surveyUtf8(bytes);
      if (!isLast && this.#awaits(bytes, firstBad)) return '';
      const nul = bytes.indexOf(0);
      if (nul >= 0) throw this.#invalidAfter(latin1(bytes.subarray(0, nul)), binary);
      if (!isBroken) {
        const line = this.#lineAfter(this.#heldCr + latin1(bytes.subarray(0, firstBad)));
        const sample = this.#sampleOf(bytes, isLast);
        this.#use(detect(sample.words, line));
        if (!isLast) this.#sample = sample;
        return this.#decodeLegacy(bytes, isLast);
      }
    }
    const text = new TextDecoder(encoding, { fatal: false, ignoreBOM: true }).decode(bytes);
    throw this.#invalidAfter(text.slice(0, text.indexOf('\ufffd')), notAs(encoding));
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
