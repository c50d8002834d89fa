import { exportAsCsv } from './limits.pure.ts';

export type Unicode = 'utf-8' | 'utf-16le' | 'utf-16be';

const startsWith = (bytes: Uint8Array, start: readonly number[]): boolean =>
  start.every((byte, i) => bytes[i] === byte);

const marks: [Unicode, readonly number[]][] = [
  ['utf-8', [0xef, 0xbb, 0xbf]],
  ['utf-16le', [0xff, 0xfe]],
  ['utf-16be', [0xfe, 0xff]],
];

/** The encoding that a file's byte order mark names, and the mark's length. */
export function markOf(bytes: Uint8Array): { encoding: Unicode; mark: number } | undefined {
  const found = marks.find(([, mark]) => startsWith(bytes, mark));
  return found && { encoding: found[0], mark: found[1].length };
}

/**
 * A file without a mark is UTF-16 if every other byte, and only of those, is mostly NUL, or if it is text in
 * one order of bytes; else UTF-8 at first.
 */
export function unicodeOf(bytes: Uint8Array): Unicode {
  const nuls = [0, 0];
  for (let found = bytes.indexOf(0); found >= 0; found = bytes.indexOf(0, found + 1))
    nuls[found % 2] = (nuls[found % 2] ?? 0) + 1;
  const [even = 0, odd = 0] = nuls;
  if (even + odd === 0) return 'utf-8';
  const enough = bytes.length / 4;
  if (even === 0 && odd > enough) return 'utf-16le';
  if (odd === 0 && even > enough) return 'utf-16be';
  return (['utf-16le', 'utf-16be'] as const).find((order) => isTextIn(order, bytes)) ?? 'utf-8';
}

/** What no text holds, or only that in the wrong order: unassigned characters, controls, a turned line end. */
const noText = /[\p{Cn}\p{Co}\p{Cs}]|(?![\t\r\n])\p{Cc}/u;

/** So many bytes of UTF-16 at most, apart from NULs, are what ASCII text has; of other text nearly all are. */
const asciiShare = 0.8;

function isTextIn(order: 'utf-16le' | 'utf-16be', bytes: Uint8Array): boolean {
  const others = bytes.filter((byte) => byte !== 0);
  const ascii = others.filter((byte) => (byte >= 0x20 && byte < 0x7f) || byte === 0x0a);
  if (ascii.length > others.length * asciiShare) return false;
  try {
    const text = new TextDecoder(order, { fatal: true, ignoreBOM: true }).decode(bytes, {
      stream: true,
    });
    return text.includes('\n') && !noText.test(text);
  } catch {
    return false;
  }
}

/** First bytes of files that are often sent in place of a CSV. */
const magics: [what: string, ...bytes: number[]][] = [
  ['a zip file, an Excel workbook or a Numbers document', 0x50, 0x4b, 0x03, 0x04],
  ['an empty zip file', 0x50, 0x4b, 0x05, 0x06],
  ['an old Excel workbook or another old Office file', 0xd0, 0xcf, 0x11, 0xe0],
  ['a gzip file', 0x1f, 0x8b],
  ['a 7-Zip file', 0x37, 0x7a, 0xbc, 0xaf],
  ['a RAR file', 0x52, 0x61, 0x72, 0x21, 0x1a],
  ['a picture', 0x89, 0x50, 0x4e, 0x47],
  ['a picture', 0xff, 0xd8, 0xff],
  ['a picture', 0x47, 0x49, 0x46, 0x38],
];

/** Tags that a web page, or a table copied out of one, begins with. */
const htmlTags =
  'html|head|body|title|meta|link|style|script|table|thead|tbody|tr|t[dh]|div|span|p|h[1-6]|br|center|form|font|b|a|ul|ol|main';

/** A tag with attributes, or with another or text behind it; `<name>,<e-mail>` is a header. */
const openTag = (names: string): string =>
  String.raw`^<(?:${names})(?:\s+[\w:.-]+\s*=\s*["'][^<]*|\s*\/?>(?:[ \r\n]*<[\/!?]?[a-z][\w:.-]*[\s\/>]| *[^\s,;|<]))`;

const html = new RegExp(`^<!doctype\\s+html|^<html[\\s>]|^<!--|${openTag(htmlTags)}`, 'i');
const xml = new RegExp(
  String.raw`^<\?xml\b|^<!DOCTYPE\b|${openTag(String.raw`[a-z_][\w:.-]*`)}`,
  'i',
);

const texts: [what: string, pattern: RegExp][] = [
  ['an RTF document', /^\{\\rtf/],
  [
    'JSON',
    /^(?:\{\s*(?:"(?:[^"\\]|\\.)*"\s*:|\}\s*$)|\[\s*(?:\{\s*["}]|\[|"(?:[^"\\]|\\.)*"\s*[,\]]\s*(?:"|$)|\]\s*$))/,
  ],
  ['a PDF', /^%PDF-/],
  ['a PostScript document', /^%!PS/],
  ['a vCard file of contacts', /^BEGIN:VCARD\s/i],
  ['a calendar file', /^BEGIN:VCALENDAR\s/i],
  [
    'a saved e-mail or web page (MIME)',
    /^(?:MIME-Version|Content-Type|Return-Path|Received|From|Message-ID): \S[^\n]*\r?\n[\w-]+: /i,
  ],
  ['a database (SQLite)', /^SQLite format 3/],
];

/**
 * Why a file that begins with these bytes is no CSV, with advice; undefined if it may be one. `text`: its
 * beginning, decoded, without mark and blanks.
 */
export function otherThanCsv(bytes: Uint8Array, text: string): string | undefined {
  const magic = magics.find(([, ...start]) => startsWith(bytes, start));
  if (magic) return `The file is ${magic[0]}, not a CSV. ${exportAsCsv}`;
  if (html.test(text) || (xml.test(text) && /<html[\s>]/i.test(text)))
    return 'The file is a web page (HTML), not a CSV. Perhaps you were signed out of the site that it comes from: sign in and download it again.';
  if (xml.test(text)) return `The file is XML, not a CSV. ${exportAsCsv}`;
  const other = texts.find(([, pattern]) => pattern.test(text));
  return other && `The file is ${other[0]}, not a CSV. ${exportAsCsv}`;
}
