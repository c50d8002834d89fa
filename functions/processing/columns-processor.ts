import { noFindings } from '../providers/research.ts';
import { brokenAnswer, withoutThoughts } from './answer.pure.ts';
import { completeWhole, type Reading } from './complete-whole.ts';
import type { JobOptions, OutputField } from './job-options.ts';
import { dataRule, rowMessage } from './message.pure.ts';
import {
  outputForm,
  outputKeys,
  outputSchema,
  outputTokens,
  valueWords,
} from './output-schema.pure.ts';
import type { Answer, Brief, RowProcessor } from './processor.ts';
import { fillPrompt } from './prompt.pure.ts';
import { type ReadOutputs, readOutputs, type WrongOutput } from './read-outputs.pure.ts';
import { searchQuery } from './search-query.pure.ts';

/** So many outputs are named in an error. */
const mostNamed = 3;

const outputsOf = ({ outputs }: JobOptions): readonly OutputField[] => outputs ?? [];

const truthRule = [
  'Go by these data alone. Where they do not say, answer null: an empty cell is right, a guess is not.',
  'Where a question asks for your judgement, judge by what is there.',
].join(' ');

function systemOf({ options, sender }: Brief): string {
  const language = options.language ?? sender?.language ?? 'auto';
  const texts =
    language === 'auto'
      ? 'Write texts in the language of their question.'
      : `Write texts in the language with the tag ${language}; a choice stays as it is.`;
  return [
    'You answer questions about one row of a table.',
    dataRule,
    truthRule,
    texts,
    outputForm(outputsOf(options)),
  ].join(' ');
}

/** Says which outputs are wrong, in the user's words and in the model's: none of what the model wrote. */
function wrongAnswer(outputs: readonly OutputField[], wrong: readonly WrongOutput[]) {
  const named = wrong
    .slice(0, mostNamed)
    .map(({ index, gave }) => `${gave} for "${outputs[index]?.name}"`);
  const more = wrong.length - named.length;
  const keys = outputKeys(outputs);
  const wanted = wrong.flatMap(({ index }) => {
    const output = outputs[index];
    return output ? `${JSON.stringify(keys[index])} must be ${valueWords(output)}` : [];
  });
  return {
    error: `The model gave ${named.join(', ')}${more > 0 ? ` and ${more} more` : ''}`,
    retryHint: `An earlier answer was wrong: ${wanted.join('; ')}. A text has at most 2,000 characters and nothing to fill in. Answer with the whole JSON object.`,
  };
}

/** The cells of an answer, or what is wrong with it. */
function readCells(outputs: readonly OutputField[], { text, finish }: Answer): Reading<string[]> {
  if (finish === 'content_filter') return brokenAnswer({ broken: 'filtered' });
  if (finish === 'refusal') return brokenAnswer({ broken: 'refused' });
  const read: ReadOutputs = readOutputs(outputs, withoutThoughts(text));
  if (read?.cells) return { value: read.cells };
  if (finish === 'length') return brokenAnswer({ broken: 'cut' });
  if (read) return wrongAnswer(outputs, read.wrong);
  return {
    error: 'The model gave no answers that can be read',
    retryHint: 'An earlier answer was not one JSON object. Answer with it and nothing else.',
  };
}

/** Answers the user's own questions: a column for each of `options.outputs`, one model call a row. */
export const columnsProcessor: RowProcessor = {
  name: 'columns',
  outputColumns: (options) => outputsOf(options).map(({ name }) => name),
  defaultPrompt:
    'Answer the questions about this lead for a salesperson who is to decide whether, and how, to write to it.',
  searches: ({ research }) => research !== false,
  researchColumns: () => [],
  plan: (brief, row) => {
    const { header, columns, options } = brief;
    const task = fillPrompt(brief.prompt, header, row);
    const isSearched = options.research !== false;
    return {
      query: isSearched ? searchQuery(header, row) : undefined,
      messages: ({ summary }) => {
        const research = isSearched ? { research: summary } : {};
        return [
          { role: 'system', content: systemOf(brief) },
          { role: 'user', content: rowMessage({ task, header, row, columns, ...research }) },
        ];
      },
    };
  },
  process: async (brief, row, tools) => {
    const outputs = outputsOf(brief.options);
    const { query, note, messages } = columnsProcessor.plan(brief, row);
    const findings = query ? await tools.search(query) : noFindings;
    const options = { maxTokens: outputTokens(outputs), jsonSchema: outputSchema(outputs) };
    const cells = await completeWhole(tools, messages(findings), options, (answer) =>
      readCells(outputs, answer),
    );
    const notes = [
      query && findings.summary === '' ? 'no research found' : note,
      cells.every((cell) => cell === '') ? 'nothing is known of what was asked' : undefined,
    ].filter((one) => one !== undefined);
    return { cells, ...(notes.length > 0 ? { note: notes.join('; ') } : {}) };
  },
};
