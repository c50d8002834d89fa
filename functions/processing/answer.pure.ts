import { cleanText, oneLine } from '../shared/text.pure.ts';
import { findPlaceholder } from './placeholder.pure.ts';
import type { Answer } from './processor.ts';

/** Why an answer is none; a refusal is the model's own word and is not asked again. */
export type Broken = 'cut' | 'filtered' | 'refused' | 'empty' | 'placeholder';

/** A whole answer, its subject line apart, or why it is none (`found`: the placeholder). */
export type ReadAnswer =
  | { text: string; subject?: string; broken?: never }
  | { broken: Broken; found?: string; text?: never };

/** With a signature of 1,000 and a line between an e-mail has at most 9,000. */
const longestAnswer = 7998;
const longestSubject = 150;

const thought = /<(think(?:ing)?|thought|reasoning)>[^]*?<\/\1>/gi;
const openThought = /<(think(?:ing)?|thought|reasoning)>[^]*$/i;
const closedThought = /^[^]*<\/(?:think(?:ing)?|thought|reasoning)>/i;
const channels = /^[^]*<\|channel\|>final[^<]*<\|message\|>/;
const controlTokens = /<\|[a-z_]{1,30}\|>/g;
const fenceLine = /^[ \t]*(?:`{3,}|~{3,})[\w-]*[ \t]*(?:\n|$)/gm;

/** What a model thinks aloud, in the forms that servers let through. */
export const withoutThoughts = (text: string): string =>
  text
    .replace(thought, '')
    .replace(closedThought, '')
    .replace(openThought, '')
    .replace(channels, '')
    .replace(controlTokens, '');

/** Of the prompt, copied. */
const sectionTag = /<\/?(?:cell|lead|research|sender)>/gi;
const boldText = /\*\*(?=\S)([^*\n]{1,200})\*\*/g;

const quotes: Record<string, string> = { '"': '"', '“': '”', '„': '“', '«': '»', '»': '«' };

function withoutQuotes(text: string): string {
  const [first = ''] = text;
  const last = quotes[first];
  const inner = text.slice(1, -1);
  const isQuoted = last !== undefined && text.length > 1 && text.endsWith(last);
  return isQuoted && !inner.includes(first) && !inner.includes(last) ? inner.trim() : text;
}

const subjectWords = [
  'subject(?: line)?|betreff(?:zeile)?|objet|asunto|oggetto|assunto|onderwerp|ämne|emne|aihe|temat',
  'předmět|predmet|tárgy|subiect|konu|θέμα|тема|件名|主旨|主题|主題|标题|제목',
].join('|');
const subject = `[\\s*_#>"]*(?:${subjectWords})[ *_]*[:：](.*)(?:\\n|$)`;
/** The first line, or the one below a line such as "Here is the e-mail:"; marks of Markdown around it. */
const subjectBelow = new RegExp(`^(?:[^\\n]{1,120}[:：][ \\t*_]*\\n\\s*)?${subject}`, 'iu');
const subjectFirst = new RegExp(`^${subject}`, 'iu');
const bodyLabel = /^[\s*_#]*(?:e-?mail|(?:e-?mail )?(?:body|text|message))[ *_]*:[ *_]*\n/i;

/** What stands before a subject is not the e-mail's; a second subject, such as a translated one, goes. */
function takeSubject(text: string): { text: string; subject?: string } {
  const [all, line = ''] = subjectBelow.exec(text) ?? [];
  if (all === undefined) return { text };
  const body = text.slice(all.length).trim().replace(bodyLabel, '').trim();
  return {
    text: body.replace(subjectFirst, '').trim(),
    subject: oneLine(withoutQuotes(line.replace(/[*_`]+/g, '').trim()), longestSubject),
  };
}

const sentenceEnd = /(?:[.!?…]+["'”’»)\]]*(?=\s|$)|[。！？]+[」』）]*)/g;
const noSentenceEnd =
  /(?:^|[\s(])(?:\d{1,3}|dr|mr|mrs|ms|prof|st|inc|ltd|co|corp|e\.g|i\.e|z\.\s?b|bzw|ca|vs|no|nr|approx|hr|fr|sra?|[a-z])\.$/i;
const greeting = /^[^\n.?。]{0,60}[,!，、]\s*\n/;
const leastLength = 120;

/** A text that was cut, up to its last sentence; undefined: what there is says nothing yet. */
function finishedSentences(text: string): string | undefined {
  const ends = [...text.matchAll(sentenceEnd)]
    .map(({ index, 0: mark }) => index + mark.length)
    .filter((end) => !noSentenceEnd.test(text.slice(Math.max(0, end - 12), end)));
  const kept = text.slice(0, ends.at(-1) ?? 0);
  const begin = greeting.exec(kept)?.[0].length ?? 0;
  const sentences = ends.filter((end) => end > begin).length;
  const isEnough = sentences >= 2 || (sentences === 1 && kept.length - begin >= leastLength);
  return isEnough ? kept : undefined;
}

const saysSomething = (text: string): boolean => /[\p{L}\p{N}]/u.test(text);

/**
 * An answer as it may be sent: without thoughts, code fences and quotes around it and without its
 * subject line, at most 8,000 characters. One that ran into its limit is kept up to its last sentence
 * where that leaves two of them, or 120 characters, beside the greeting.
 */
export function readAnswer({ text: written, finish }: Answer): ReadAnswer {
  if (finish === 'content_filter') return { broken: 'filtered' };
  if (finish === 'refusal') return { broken: 'refused' };
  const bare = withoutThoughts(written.replace(/\r\n?/g, '\n')).replace(fenceLine, '');
  const plain = bare.replace(sectionTag, '').replace(boldText, '$1');
  const { text: full, subject } = takeSubject(withoutQuotes(cleanText(plain, plain.length)));
  const isCut = finish === 'length' || full.length > longestAnswer;
  if (!saysSomething(full)) return { broken: isCut ? 'cut' : 'empty' };
  const short = cleanText(full, longestAnswer);
  const text = isCut ? finishedSentences(short) : short;
  if (text === undefined || !saysSomething(text)) return { broken: 'cut' };
  const found = findPlaceholder(subject === undefined ? text : `${subject}\n${text}`);
  if (found !== undefined) return { broken: 'placeholder', found };
  return subject === undefined ? { text } : { text, subject };
}

const retryHints: Record<Exclude<Broken, 'refused'>, string> = {
  cut: 'An earlier answer was cut off before its end. Write a shorter one.',
  filtered: 'An earlier answer was stopped by a content filter. Word it differently.',
  empty: 'An earlier answer was empty. Write it out in full.',
  placeholder:
    'An earlier answer had a placeholder left in it. Use only what is known and leave the rest out: no brackets to fill in.',
};

/** A broken answer in the user's words, and what to tell the model when it is asked once more, if it is. */
export function brokenAnswer({ broken, found }: { broken?: Broken | undefined; found?: string }): {
  error: string;
  retryHint?: string;
} {
  const errors: Record<Broken, string> = {
    cut: "The model's answer was cut off",
    filtered: "The model's answer was blocked by a content filter",
    refused: 'The model refused to answer',
    empty: 'The model wrote nothing',
    placeholder: `The model left a placeholder such as ${oneLine(found ?? '', 60)}`,
  };
  const kind = broken ?? 'empty';
  return kind === 'refused'
    ? { error: errors[kind] }
    : { error: errors[kind], retryHint: retryHints[kind] };
}
