import { ProviderError } from '../providers/errors.pure.ts';
import { noFindings } from '../providers/research.ts';
import { oneLine } from '../shared/text.pure.ts';
import { brokenAnswer, withoutThoughts } from './answer.pure.ts';
import { completeWhole, type Reading } from './complete-whole.ts';
import { foreignLink } from './foreign-link.pure.ts';
import type { JobOptions, OutputField } from './job-options.ts';
import { languageOf, languageRule } from './language.pure.ts';
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
import {
  hasContent,
  nothingToGoBy,
  planQuery,
  researchColumns,
  researchNote,
} from './row-research.pure.ts';

/** So many outputs are named in an error. */
const mostNamed = 3;

const outputsOf = ({ outputs }: JobOptions): readonly OutputField[] => outputs ?? [];

const truthRule = [
  'Go by the sections and the task. Where they do not say, answer null: an empty cell is right, a guess is not.',
  'Where a question asks for your judgement, judge by what is there. Leave out what may be about another company',
  'or person of the same name, the numbers of sources such as [1], and links that nobody gave you. "We" in a',
  'question is the sender.',
].join(' ');

function systemOf(brief: Brief): string {
  const texts =
    languageOf(brief) === 'auto'
      ? 'Write texts in the language of their question.'
      : `${languageRule(brief)} Choices stay as they are.`;
  return [
    'You answer questions about one row of a table.',
    `Data: ${dataRule}`,
    `Truth: ${truthRule}`,
    `Language: ${texts}`,
    outputForm(outputsOf(brief.options)),
  ].join('\n\n');
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
    retryHint: `An earlier answer was wrong: ${wanted.join('; ')}. A text has at most 2,000 characters, nothing to fill in and no links of your own. Answer with the whole JSON object.`,
  };
}

/** The texts with links that none of `known` gave. */
const madeUp = (outputs: readonly OutputField[], cells: string[], known: readonly string[]) =>
  cells.flatMap((cell, index): WrongOutput[] => {
    const host = outputs[index]?.type === 'text' ? foreignLink(cell, known) : undefined;
    return host === undefined ? [] : [{ index, gave: `a made-up link to ${oneLine(host, 60)}` }];
  });

/** The cells of an answer, or what is wrong with it; `known`: all that links may be from. */
function readCells(
  outputs: readonly OutputField[],
  { text, finish }: Answer,
  known: readonly string[],
): Reading<string[]> {
  if (finish === 'content_filter') return brokenAnswer({ broken: 'filtered' });
  if (finish === 'refusal') return brokenAnswer({ broken: 'refused' });
  const read: ReadOutputs = readOutputs(outputs, withoutThoughts(text));
  if (read?.cells) {
    const wrong = madeUp(outputs, read.cells, known);
    return wrong.length === 0 ? { value: read.cells } : wrongAnswer(outputs, wrong);
  }
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
  researchColumns,
  plan: (brief, row) => {
    const { header, columns, options, sender } = brief;
    const task = fillPrompt(brief.prompt, header, row);
    return {
      ...planQuery(brief, row),
      messages: ({ summary }) => {
        const found = options.research === false ? undefined : summary;
        const content = rowMessage({ task, header, row, columns, research: found, sender });
        return [
          { role: 'system', content: systemOf(brief) },
          { role: 'user', content },
        ];
      },
    };
  },
  process: async (brief, row, tools) => {
    const outputs = outputsOf(brief.options);
    const plan = columnsProcessor.plan(brief, row);
    if (!plan.query && !hasContent(brief, row)) throw new ProviderError(nothingToGoBy);
    const findings = plan.query ? await tools.search(plan.query) : noFindings;
    const { website = '', offer = '' } = brief.sender ?? {};
    const given = [brief.prompt, website, offer, findings.summary, ...findings.sources, ...row];
    const known = [...given, ...outputs.map(({ description }) => description)];
    const options = { maxTokens: outputTokens(outputs), jsonSchema: outputSchema(outputs) };
    const cells = await completeWhole(tools, plan.messages(findings), options, (answer) =>
      readCells(outputs, answer, known),
    );
    const notes = [
      researchNote(plan, findings),
      cells.every((cell) => cell === '') ? 'nothing is known of what was asked' : undefined,
    ].filter((one) => one !== undefined);
    return { cells, ...(notes.length > 0 ? { note: notes.join('; ') } : {}) };
  },
};
