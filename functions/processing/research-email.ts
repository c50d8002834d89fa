import { brokenAnswer, readAnswer } from './answer.pure.ts';
import { completeWhole, type Reading } from './complete-whole.ts';
import { defaultEmailPrompt, emailSystem } from './email-message.pure.ts';
import { foreignLink } from './foreign-link.pure.ts';
import { rowMessage } from './message.pure.ts';
import type { Answer, Brief, RowProcessor } from './processor.ts';
import { fillPrompt } from './prompt.pure.ts';
import {
  hasContent,
  nothingToGoBy,
  planQuery,
  researchColumns,
  researchNote,
} from './row-research.pure.ts';
import { signed } from './signature.pure.ts';
import { ProviderError } from '../providers/errors.pure.ts';
import { noFindings } from '../providers/research.ts';
import { oneLine } from '../shared/text.pure.ts';

type Mail = { subject: string; body: string };

/** Numbers of sources that the model has copied. */
const citation = /\s?\[[1-5](?:\s?[,–-]\s?[1-5])*\](?![\w(:])/g;

/** Reads the answer to a row: with a subject unless its prompt may ask for none, and no link that is made up. */
function readEmail({ prompt, sender }: Brief, row: readonly string[]) {
  // A prompt of one's own may ask for none.
  const needsSubject = prompt === defaultEmailPrompt;
  const known = [prompt, sender?.website ?? '', sender?.offer ?? '', ...row];
  return (answer: Answer): Reading<Mail> => {
    const read = readAnswer(answer);
    if (read.text === undefined) return brokenAnswer(read);
    const { text, subject = '' } = read;
    if (needsSubject && subject === '')
      return {
        error: 'The model wrote no subject',
        retryHint:
          'An earlier answer had no subject. Begin with the line "Subject: " and the subject, then an empty line, then the e-mail.',
      };
    const host = foreignLink(`${subject}\n${text}`, known);
    if (host !== undefined)
      return {
        error: `The model made up a link to ${oneLine(host, 60)}`,
        retryHint: 'An earlier answer had a link that nobody gave you. Write no links of your own.',
      };
    return { value: { subject, body: text } };
  };
}

/** Researches the company of a row, then writes the e-mail. */
export const researchEmail: RowProcessor = {
  name: 'research_email',
  outputColumns: () => ['research_summary', 'research_sources', 'email_subject', 'email_body'],
  defaultPrompt: defaultEmailPrompt,
  searches: ({ research }) => research !== false,
  researchColumns,
  plan: (brief, row) => {
    const { header, columns, prompt, options } = brief;
    const task = fillPrompt(prompt, header, row);
    return {
      ...planQuery(brief, row),
      messages: ({ summary }) => {
        const research = options.research === false ? undefined : summary;
        return [
          { role: 'system', content: emailSystem(brief) },
          { role: 'user', content: rowMessage({ task, header, row, columns, research }) },
        ];
      },
    };
  },
  process: async (brief, row, tools) => {
    const plan = researchEmail.plan(brief, row);
    if (!plan.query && !hasContent(brief, row)) throw new ProviderError(nothingToGoBy);
    const findings = plan.query ? await tools.search(plan.query) : noFindings;
    const mail = await completeWhole(tools, plan.messages(findings), {}, readEmail(brief, row));
    const { summary, sources } = findings;
    const body = signed(mail.body.replace(citation, ''), brief.sender?.signature);
    const cells = [summary, sources.join('\n'), mail.subject.replace(citation, ''), body];
    const note = researchNote(plan, findings);
    return { cells, ...(note === undefined ? {} : { note }) };
  },
};
