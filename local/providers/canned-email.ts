import { hash } from 'node:crypto';
import { detailsOf, type Details } from './prompt-details.ts';
import { fillForm } from './form.ts';
import { chance } from './seeded-failures.ts';
import { type Completion, type Message, textOf } from './openai-request.ts';

export type Email = { text: string; finishReason: 'stop' | 'length'; tokens: string[] };

const offers = [
  'We help teams like yours answer customers faster without hiring ahead of demand.',
  'Our customers save about a day a week on work that nobody enjoys.',
  'We take over the repetitive part of outreach, so that people can talk to people.',
];
const asks = [
  'Would a short call next week suit you?',
  'May I send you a two-page example from a similar company?',
  'Is this something you are looking at this quarter?',
];

const choose = (list: string[], ...seed: string[]) =>
  list[Math.floor(chance(...seed) * list.length)] ?? '';

/** First eight hex digits of the SHA-256 of the last user message. */
export const refOf = (messages: Message[]): string =>
  hash('sha256', textOf(messages.findLast((m) => m.role === 'user')), 'hex').slice(0, 8);

function opening({ company, place, industry, role, other }: Details): string {
  const who = company ?? 'your company';
  const where = place ? ` in ${place}` : '';
  const what = industry ? ` and its work in ${industry}` : '';
  const as = role ? `, and your role as ${role},` : '';
  const more = !place && !industry && !role && other ? ` (${other.key}: ${other.value})` : '';
  return `I have been reading about ${who}${where}${what}${as} with interest${more}.`;
}

/** Three or four sentences that address what the prompt names, and the reference tag. */
function letterFor(messages: Message[]): string {
  const prompt = messages
    .filter((m) => m.role === 'user')
    .map(textOf)
    .join('\n');
  const details = detailsOf(prompt);
  const ref = refOf(messages);
  const greeting = details.person ?? (details.company ? `${details.company} team` : 'there');
  const sentences = [
    opening(details),
    ...(details.research
      ? [`One thing stood out: ${details.research.replace(/[.…]+$/, '')}.`]
      : []),
    choose(offers, ref, 'offer'),
    choose(asks, ref, 'ask'),
  ];
  return `Hello ${greeting},\n\n${sentences.join(' ')}\n\nKind regards\n(ref ${ref})`;
}

/** The JSON that a `response_format` asks for: letters in string fields, zero values elsewhere. */
function asJson(schema: Record<string, unknown> | undefined, letter: string): string {
  const properties = schema?.['properties'] as Record<string, { type?: unknown }> | undefined;
  if (!properties) return JSON.stringify({ email_body: letter });
  const zero: Record<string, unknown> = { boolean: false, number: 0, integer: 0, array: [] };
  const entries = Object.entries(properties).map(([key, { type }]) => [
    key,
    type === 'string' ? letter : (zero[String(type)] ?? null),
  ]);
  return JSON.stringify(Object.fromEntries(entries));
}

/** The answer to messages that show the JSON object they want; see `fillForm`. */
function formFor(messages: Message[]): string | undefined {
  const prompt = messages.map(textOf).join('\n');
  const asked = messages.filter((m) => m.role === 'user').map(textOf);
  return fillForm(prompt, detailsOf(asked.join('\n')), refOf(messages));
}

/** Rough tokens: a word with the space before it. Good enough for limits and usage counts. */
export const tokensOf = (text: string): string[] => text.match(/\s*\S+/g) ?? [];

/** Writes the answer to a request; the same messages always get the same words. */
export function writeEmail(request: Completion): Email {
  const format = request.response_format;
  let text = letterFor(request.messages);
  if (format && format.type !== 'text') text = asJson(format.json_schema?.schema, text);
  else text = formFor(request.messages) ?? text;
  const stops = typeof request.stop === 'string' ? [request.stop] : (request.stop ?? []);
  for (const stop of stops) {
    const at = text.indexOf(stop);
    if (at >= 0) text = text.slice(0, at);
  }
  const all = tokensOf(text);
  const limit = request.max_completion_tokens ?? request.max_tokens ?? Infinity;
  const tokens = all.slice(0, limit);
  const finishReason = tokens.length < all.length ? 'length' : 'stop';
  return { text: tokens.join(''), finishReason, tokens };
}
