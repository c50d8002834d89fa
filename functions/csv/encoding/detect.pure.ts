import type { Characters } from './characters.pure.ts';
import { codePages, textIn } from './code-pages.pure.ts';
import { Cost, rare } from './cost.pure.ts';
import { encodingUnknown } from './labels.pure.ts';
import type { Alphabet } from './letters.pure.ts';
import { addWord, type Writing } from './plausibility.pure.ts';
import { strayQuotes } from './signs.pure.ts';

/** An encoding that a file may have besides UTF-8 and UTF-16; `prior`: how rare it is, in nats. */
type Candidate = { label: string; writing: Writing; prior: number };

const letters = (label: string, prior: number, ...alphabets: Alphabet[]): Candidate => ({
  label,
  prior,
  writing: { alphabets },
});
const characters = (label: string, prior: number, name: Characters): Candidate => ({
  label,
  prior,
  writing: { characters: name },
});

const western = ['german', 'french', 'spanish', 'portuguese', 'nordic'] as const;
const central = ['polish', 'czech', 'hungarian', 'romanian', 'croatian', 'german'] as const;
const baltic = ['latvian', 'lithuanian', 'estonian', 'german', 'polish'] as const;
const cyrillic = ['russian', 'ukrainian', 'serbian'] as const;

const legacy: readonly Candidate[] = [
  letters('windows-1252', 0, ...western),
  letters('windows-1250', 4, ...central),
  letters('windows-1251', 2, ...cyrillic),
  characters('shift_jis', 2, 'japanese'),
  characters('gb18030', 2, 'simplified'),
  characters('big5', 3, 'traditional'),
  characters('euc-kr', 3, 'korean'),
  letters('macintosh', 5, ...western),
  letters('windows-1254', 4, 'turkish', 'german', 'french'),
  letters('windows-1253', 3, 'greek'),
  letters('windows-1255', 3, 'hebrew'),
  letters('windows-1256', 3, 'arabic', 'persian'),
  letters('windows-1257', 6, ...baltic),
  letters('windows-874', 4, 'thai'),
  characters('euc-jp', 4, 'japanese'),
  letters('iso-8859-2', 6, ...central),
  letters('iso-8859-15', 5, ...western),
  letters('koi8-r', 4, 'russian'),
  letters('x-mac-cyrillic', 5, ...cyrillic),
  letters('ibm866', 5, 'russian'),
  letters('iso-8859-7', 5, 'greek'),
  letters('koi8-u', 6, 'ukrainian', 'russian'),
  letters('iso-8859-5', 7, ...cyrillic),
  letters('iso-8859-6', 6, 'arabic'),
  letters('iso-8859-13', 7, ...baltic),
  letters('iso-8859-4', 8, ...baltic),
  letters('iso-8859-10', 8, 'nordic', ...baltic),
  letters('iso-8859-16', 8, ...central),
  letters('ibm850', 4, ...western),
  letters('ibm852', 6, ...central),
];

/** How much likelier than any other text a reading must be: e^5 is 150 to 1. */
const clearlyNats = 5;
/** Words that are looked at in all encodings, and how far behind the likeliest one is out by them. */
const fewWords = 100;
const hopelessNats = 60;
/** So many of a file's words may have what hardly anybody writes. */
const faultyShare = 0.1;
/** What a step between letters costs on average in what people write; few words may be further from it. */
const usualStep = 3.9;
const spread = 3.2;

/** Whether a reading is something that people write: the right encoding may be none of those that are known. */
function isWritten({ cost, faulty }: Reading, words: number): boolean {
  const limit = usualStep * cost.steps + spread * Math.sqrt(cost.steps);
  return faulty <= words * faultyShare && cost.spelling <= limit && !cost.isLone;
}

type Reading = { label: string; text: string; cost: Cost; faulty: number };

/**
 * The encoding that these words of a file are in. Sure where one text is clearly likelier than all others
 * and its words are like those that people write, whichever encodings give that same text; otherwise
 * throws `encoding_unknown`. `line`: the first one that is not UTF-8.
 */
export function detect(words: readonly Uint8Array[], line?: number): string {
  const readings = readingsOf(words);
  const [best] = readings;
  const other = readings.find(({ text }) => text !== best?.text);
  const isClear = best && (!other || other.cost.nats - best.cost.nats >= clearlyNats);
  const isLikely = best && isWritten(best, words.length);
  if (best && isClear && isLikely && !(best.label in codePages))
    return usualLabel(best.text, readings);
  const labels = readings.map(({ label }) => label);
  // Where nothing speaks for another, it is what most files are in.
  const usual = readings.find(({ label }) => label === 'windows-1252');
  const first = readings.find(({ label }) => !(label in codePages));
  const isOpen =
    !first ||
    !usual ||
    usual.cost.nats - first.cost.nats < clearlyNats ||
    first.faulty * 2 > words.length;
  throw encodingUnknown(isOpen ? ['windows-1252', ...labels] : labels, line);
}

/** Of the encodings in which the words are this text the one that most files are in. */
function usualLabel(text: string, readings: readonly Reading[]): string {
  const labels = new Set(readings.filter((each) => each.text === text).map(({ label }) => label));
  const usual = legacy.filter(({ label }) => labels.has(label)).sort((a, b) => a.prior - b.prior);
  return usual[0]?.label ?? 'windows-1252';
}

/** What an encoding is for; undefined if nothing is known of it. */
export const writingOf = (encoding: string): Writing | undefined =>
  legacy.find(({ label }) => label === encoding)?.writing;

/** Throws `encoding_unknown` if these words, read as `encoding`, are not what they are read as by themselves. */
export function confirm(words: readonly Uint8Array[], encoding: string): void {
  const found = detect(words);
  if (found === encoding) return;
  const bytes = joined(words);
  if (textIn(found, bytes) !== textIn(encoding, bytes)) throw encodingUnknown([found, encoding]);
}

/** Readings of words, the likeliest first. Of many words a few rule out most encodings. */
function readingsOf(words: readonly Uint8Array[]): Reading[] {
  const rank = (candidates: readonly Candidate[], some: readonly Uint8Array[]): Reading[] =>
    candidates
      .flatMap((candidate) => read(candidate, joined(some), some.length))
      .sort((a, b) => a.cost.nats - b.cost.nats);
  if (words.length < 2 * fewWords) return rank(legacy, words);
  const step = Math.floor(words.length / fewWords);
  const first = rank(
    legacy,
    words.filter((_, i) => i % step === 0),
  );
  const limit = (first[0]?.cost.nats ?? 0) + hopelessNats;
  const likely = new Set(first.filter(({ cost }) => cost.nats <= limit).map(({ label }) => label));
  return rank(
    legacy.filter(({ label }) => likely.has(label)),
    words,
  );
}

function read({ label, writing, prior }: Candidate, bytes: Uint8Array, count: number): Reading[] {
  const text = textIn(label, bytes);
  if (text === undefined) return [];
  // KOI8 has a no-break space where others have letters; hardly anybody ever wrote it.
  const words = (label.startsWith('koi8') ? text.replaceAll('\u00a0', '\u0080') : text).split('\n');
  if (words.length !== count) return [];
  const cost = new Cost();
  cost.add(prior);
  let faulty = 0;
  const stray = strayQuotes(text);
  for (const word of words) {
    const before = cost.faults;
    addWord(cost, word, writing);
    if (stray?.test(word)) cost.fault(rare.place);
    if (cost.faults > before) faulty += 1;
  }
  return [{ label, text, cost, faulty }];
}

function joined(words: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(
    Math.max(
      0,
      words.reduce((sum, word) => sum + word.length + 1, -1),
    ),
  );
  let at = 0;
  for (const word of words) {
    bytes.set(word, at);
    at += word.length + 1;
    if (at <= bytes.length) bytes[at - 1] = 0x0a;
  }
  return bytes;
}
