import { languageRule } from './language.pure.ts';
import { dataRule, senderSection } from './message.pure.ts';
import type { Brief } from './processor.ts';
import type { Sender } from './sender.ts';
import { beginsWithClosing } from './signature.pure.ts';

/** What users replace: taste. What holds for every e-mail stands in the system message. */
export const defaultEmailPrompt = [
  'Write the first e-mail to this lead: one that a busy person in their position would answer.',
  '',
  '- Open with the one fact from the research that matters most to their work right now, and with what it',
  '  means for them. Where there is none, open with what their role or industry has to solve, as a',
  '  question and not as a claim.',
  '- Then one or two sentences on the offer: what it would change for exactly this lead. Where no offer is',
  '  known, ask how they go about the matter that you have opened with instead.',
  '- End with one question that can be answered in a line.',
  '',
  'At most 120 words. Plain and concrete, as from one professional to another: no flattery, no "I hope this',
  'finds you well", no "I came across", no superlatives, no exclamation marks, no lists, no P.S.',
].join('\n');

const truthRule = [
  'Truth: state as a fact only what the sections or the task say. Invent no names, numbers,',
  'dates, customers, results, events, links or earlier contacts, and imply no research that is not there.',
  'Leave out what may be about another company or person of the same name. Numbers such as [1] in',
  'the research mark its sources: do not write them. What is bookkeeping about the lead, such as status,',
  'owner, score, revenue or how they were found, is for you alone.',
].join(' ');

const addressRule = [
  'Address the lead as formally as first letters in that language do: Sie in German, vous in French, usted',
  'in Spanish, Lei in Italian, u in Dutch, 敬語 and 様 in Japanese; likewise elsewhere, unless the task or the',
  'tone asks otherwise. Never guess a gender or which name is the family name: where it is not certain, greet by the',
  'whole name; without a name, greet the team of the company.',
].join(' ');

const formRule = [
  'Form: unless the task wants no subject, the first line of your answer is "Subject: " and the subject, in',
  'the language of the e-mail: three to seven words, particular to this lead, no "Re:". Then an empty line, then the e-mail as it will be sent:',
  'greeting and short paragraphs in plain text. No markdown, no notes to anyone, and nothing to be filled in:',
  'what is not known is left out.',
].join(' ');

function senderRule(sender: Sender | null): string {
  const section = sender ? senderSection(sender) : '';
  const { name, role, company, website, offer } = sender ?? {};
  const isKnown = [name, role, company, website, offer].some((field) => field);
  const unknown = [
    'Sender: nothing is known of who sends this. Speak for no company, product or offer that the task itself',
    'does not name, and introduce nobody: ask or inform as the task says.',
  ].join(' ');
  const known = [
    'Sender: you write in the name of the sender, in the first person; the section below is in their own',
    'words. Its offer is what the e-mail is for: say of it what is written there, and no more. Give the',
    'website at most once.',
  ].join(' ');
  const tone = sender?.tone ? ' Write in the tone that the sender section names.' : '';
  return `${isKnown ? known : unknown}${tone}${section === '' ? '' : `\n${section}`}`;
}

function endRule(sender: Sender | null): string {
  const { signature, name } = sender ?? {};
  if (signature && !beginsWithClosing(signature))
    return "End: a closing formula on a line of its own and nothing below it; the sender's signature follows there.";
  if (signature)
    return "End: your last sentence. No closing formula and no name: the sender's own stand below.";
  return name
    ? "End: a closing formula, and below it the sender's name, with role and company if they are known."
    : 'End: your last sentence. No closing formula and no name: whoever sends it adds their own.';
}

/** What holds for all e-mails of a job, whatever its prompt. */
export const emailSystem = (brief: Pick<Brief, 'options' | 'sender'>): string =>
  [
    'You write one business e-mail to the lead, as the task says. It is sent as you write it.',
    `Data: ${dataRule}`,
    truthRule,
    senderRule(brief.sender),
    `Language: ${languageRule(brief)} ${addressRule}`,
    formRule,
    endRule(brief.sender),
  ].join('\n\n');
