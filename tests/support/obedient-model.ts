import type { RowTools } from '../../functions/processing/processor.ts';
import type { Message } from '../../functions/providers/model.ts';
import type { Findings } from '../../functions/providers/research.ts';

const sections = 'lead|research|sender|cell';
const section = new RegExp(`<(${sections})>[^]*?</\\1>`, 'g');

/** What stands outside the sections of a message; each leaves its mark. */
export const outsideOf = (text: string): string => text.replace(section, '<$1/>');

const entities: Record<string, string> = { lt: '<', gt: '>', amp: '&', quot: '"' };
const character = (code: number): string => String.fromCodePoint(Math.min(code, 0x10ffff));

/** A text as the most obliging of models reads it: look-alikes, entities and tag characters are what they mean. */
function asRead(text: string): string {
  return text
    .replaceAll(/[\u{e0020}-\u{e007e}]/gu, (tag) => character((tag.codePointAt(0) ?? 0) - 0xe0000))
    .replaceAll(/[\p{Default_Ignorable_Code_Point}\p{Cf}]/gu, '')
    .replaceAll(/&(lt|gt|amp|quot);/gi, (_, name: string) => entities[name.toLowerCase()] ?? '')
    .replaceAll(/&#(\d{1,7});/g, (_, code: string) => character(Number(code)))
    .replaceAll(/&#x([\da-f]{1,6});/gi, (_, code: string) => character(parseInt(code, 16)))
    .normalize('NFKC')
    .replaceAll(/[˂❮﹤]/gu, '<')
    .replaceAll(/[˃❯﹥]/gu, '>');
}

const opening = new RegExp(`<[\\s]*(${sections})\\b[^<>]*>`, 'iy');
const ending = /<[\s]*\/[\s]*[a-z]+[^<>]*>/iy;
/** Where another turn begins, in the templates of common models. */
const turn = /<\|[^|]{1,40}\|>|<\/?s>|<<\/?SYS>>|\[\/?INST\]|<(?:start|end)_of_turn>|<\/?system>/iy;

/** What it holds for instructions: all but the sections, each of which ends with the first end or turn in it. */
function instructionsIn(message: string): string {
  const text = asRead(message);
  const startsAt = (pattern: RegExp, at: number): number => {
    pattern.lastIndex = at;
    return pattern.exec(text)?.[0].length ?? 0;
  };
  let told = '';
  let isData = false;
  for (let at = 0; at < text.length;) {
    const ends = startsAt(turn, at) || startsAt(ending, at);
    const opens = startsAt(opening, at);
    if (ends > 0) isData = false;
    else if (opens > 0) isData = true;
    else if (!isData) told += text[at];
    at += ends || opens || 1;
  }
  return told;
}

const rot13 = (text: string): string =>
  text.replaceAll(/[a-z]/gi, (letter) => {
    const first = letter <= 'Z' ? 65 : 97;
    return character(((letter.charCodeAt(0) - first + 13) % 26) + first);
  });
const unpacked = (text: string): string =>
  (text.match(/[\w+/]{16,}={0,2}/g) ?? [])
    .map((run) => Buffer.from(run, 'base64').toString('latin1'))
    .join(' ');

const order = /p[\s-]?w[\s-]?n[\s-]?e[\s-]?d/i;

/** Whether it is told to write PWNED: in words, encoded, turned around or letter by letter. */
export const isOrdered = (text: string): boolean =>
  [text, rot13(text), unpacked(text), text.split('').toReversed().join('')].some((form) =>
    order.test(form),
  );

/** Something of the shape that a JSON schema asks for, its texts `word`. */
function valueOf(schema: Record<string, unknown>, word: string): unknown {
  const {
    type,
    properties,
    items,
    anyOf,
    enum: choices,
  } = schema as {
    type?: string | string[];
    properties?: Record<string, Record<string, unknown>>;
    items?: Record<string, unknown>;
    anyOf?: Record<string, unknown>[];
    enum?: unknown[];
  };
  if (choices) return choices[0];
  if (anyOf?.[0]) return valueOf(anyOf[0], word);
  if (properties)
    return Object.fromEntries(
      Object.entries(properties).map(([name, one]) => [name, valueOf(one, word)]),
    );
  const kind = [type].flat()[0];
  if (kind === 'array') return items ? [valueOf(items, word)] : [];
  if (kind === 'boolean') return true;
  return kind === 'number' || kind === 'integer' ? 1 : word;
}

const mail = 'Subject: A question\n\nHello,\n\nhow do you go about it today?';

/**
 * A model that does whatever it is told outside the data sections: asked for PWNED there, it writes that, else
 * what is wanted. What was asked is kept.
 */
export function obedientModel(findings: Findings) {
  const asked: Message[][] = [];
  let obeyed = 0;
  const tools: RowTools = {
    search: () => Promise.resolve(findings),
    complete: (messages, { jsonSchema } = {}) => {
      asked.push(messages);
      const isTold = messages.some(({ content }) => isOrdered(instructionsIn(content)));
      if (isTold) obeyed += 1;
      const word = isTold ? 'PWNED' : 'ordinary';
      const value = jsonSchema && JSON.stringify(valueOf(jsonSchema.schema, word));
      return Promise.resolve({ text: value ?? (isTold ? word : mail), finish: 'stop' });
    },
  };
  return { asked, tools, obeyed: () => obeyed };
}
