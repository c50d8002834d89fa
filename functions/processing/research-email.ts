import { brokenAnswer, readAnswer } from './answer.pure.ts';
import { saysNothing } from './blank-value.pure.ts';
import { completeWhole, type Reading } from './complete-whole.ts';
import { defaultEmailPrompt, emailSystem } from './email-message.pure.ts';
import { foreignLink } from './foreign-link.pure.ts';
import { rowMessage } from './message.pure.ts';
import type { Answer, Brief, RowProcessor } from './processor.ts';
import { fillPrompt, placeholdersOf } from './prompt.pure.ts';
import { planResearch } from './search-query.pure.ts';
import { signed } from './signature.pure.ts';
import { columnsNamed } from '../csv/columns.pure.ts';
import { ProviderError } from '../providers/errors.pure.ts';
import { noFindings } from '../providers/research.ts';
import { oneLine } from '../shared/text.pure.ts';

const nothingToGoBy = 'The row has nothing to write about: its cells are empty or placeholders';
const nothingWasFound = 'no research found';

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

/** What is searched for; a job without research has nothing to say about it. */
function planQuery({ header, options: { research } }: Brief, row: readonly string[]) {
  const planned = planResearch(header, research).query(row);
  return research === false ? { query: undefined } : planned;
}

/** Whether a cell that the model sees says anything. */
function hasContent({ header, columns, prompt }: Brief, row: readonly string[]): boolean {
  const shown = columns && columnsNamed(header, [...columns, ...placeholdersOf(prompt)]);
  return row.some((cell, i) => (!shown || shown.has(i)) && !saysNothing(cell));
}

/** Researches the company of a row, then writes the e-mail. */
export const researchEmail: RowProcessor = {
  name: 'research_email',
  outputColumns: () => ['research_summary', 'research_sources', 'email_subject', 'email_body'],
  defaultPrompt: defaultEmailPrompt,
  searches: ({ research }) => research !== false,
  researchColumns: ({ header, options }) => planResearch(header, options.research).columns,
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
    const { query, note, messages } = researchEmail.plan(brief, row);
    if (!query && !hasContent(brief, row)) throw new ProviderError(nothingToGoBy);
    const { summary, sources } = query ? await tools.search(query) : noFindings;
    const read = readEmail(brief, row);
    const mail = await completeWhole(tools, messages({ summary, sources }), {}, read);
    const body = signed(mail.body.replace(citation, ''), brief.sender?.signature);
    const cells = [summary, sources.join('\n'), mail.subject.replace(citation, ''), body];
    const why = query && summary === '' ? nothingWasFound : note;
    return { cells, ...(why === undefined ? {} : { note: why }) };
  },
};
