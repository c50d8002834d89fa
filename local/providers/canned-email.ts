import { hash } from 'node:crypto';
import { type Completion, textOf } from './openai-request.ts';
import { detailsOf, type Details } from './prompt-details.ts';
import { chance } from './seeded-failures.ts';
import { schemaInWords, valueFor } from './json-answer.ts';

const endings = [
  'We help teams like yours answer customers faster. Would a short call next week suit you?',
  'We take over the repetitive part of outreach. May I send you a two-page example?',
];
/** A JSON object whose values are left open, as prompts show it: `{"category": "…", "reason": "…"}`. */
const formPattern =
  /\{\s*"[^"{}\\\p{Cc}]+"\s*:\s*"(?:…|\.{3})"(?:\s*,\s*"[^"{}\\\p{Cc}]+"\s*:\s*"(?:…|\.{3})")*\s*\}/u;
const choicesPattern = /\bone of:?\s+([^.\n{}]+)/i;

const choose = (list: string[], ...seed: string[]) =>
  list[Math.floor(chance(...seed) * list.length)] ?? '';

/** What the rules of a message ask of an e-mail's form: a subject above it, no closing, the sender's name. */
function formOf(rules: string, task: string) {
  const sender = /<sender>\n([^]*?)\n<\/sender>/.exec(rules)?.[1] ?? '';
  const name = /^name: (.+)$/m.exec(sender)?.[1];
  return {
    hasSubject: /Subject: /.test(rules) && !/\bno subject\b/i.test(task),
    closing: /no closing formula/i.test(rules) ? '' : `Kind regards\n${name ? `${name}\n` : ''}`,
  };
}

/** Three or four sentences that address what the prompt names, and the reference tag. */
function email(details: Details, ref: string, { hasSubject, closing }: ReturnType<typeof formOf>) {
  const { company, person, place, industry, role, research, other } = details;
  const where = place ? ` in ${place}` : '';
  const what = industry ? ` and its work in ${industry}` : '';
  const as = role ? `, and your role as ${role},` : '';
  const more = !place && !industry && !role && other ? ` (${other.key}: ${other.value})` : '';
  const sentences = [
    `I have been reading about ${company ?? 'your company'}${where}${what}${as} with interest${more}.`,
    ...(research ? [`One thing stood out: ${research.replace(/[.…]+$/, '')}.`] : []),
    choose(endings, ref, 'ending'),
  ];
  const greeting = person ?? (company ? `${company} team` : 'there');
  const subject = hasSubject ? `Subject: A question for ${company ?? greeting}\n\n` : '';
  return `${subject}Hello ${greeting},\n\n${sentences.join(' ')}\n\n${closing}(ref ${ref})`;
}

/**
 * What a model writes: JSON if the request or the prompt's form asks for it, else an e-mail. A form's
 * first value is one of the choices that the prompt names. The same messages get the same words.
 */
export function cannedText({ messages, response_format: format }: Completion): string {
  const asked = messages.filter(({ role }) => role === 'user').map(textOf);
  const ref = hash('sha256', asked.at(-1) ?? '', 'hex').slice(0, 8);
  const details = detailsOf(asked.join('\n'));
  const rules = messages.map(textOf).join('\n');
  const mail = email(details, ref, formOf(format === undefined ? rules : '', asked[0] ?? ''));
  const subject = details.company ?? details.person ?? 'the lead';
  const sentence = `What is known of ${subject} points there (ref ${ref}).`;
  const words = (key: string) => (/body|mail|text/i.test(key) ? mail : sentence);
  const source = { ref, words, isKnown: !asked.some((text) => text.includes('NULL_LLM')) };
  if (format?.type === 'json_schema')
    return JSON.stringify(valueFor(format.json_schema.schema, source));
  const schema = schemaInWords(rules);
  if (schema) return JSON.stringify(valueFor(schema, source));
  const form = formPattern.exec(rules)?.[0];
  if (form === undefined)
    return format?.type === 'json_object' ? JSON.stringify({ email_body: mail }) : mail;
  const choices = (choicesPattern.exec(rules)?.[1] ?? '').split(/,|\bor\b/).map((c) => c.trim());
  const choice = choose(choices.filter(Boolean), ref, 'choice');
  const [first = '', ...others] = Object.keys(JSON.parse(form) as object);
  const rest = Object.fromEntries(others.map((key) => [key, sentence]));
  return JSON.stringify({ [first]: choice || (details.industry ?? 'Other'), ...rest });
}
