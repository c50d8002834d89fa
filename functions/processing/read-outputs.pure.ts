import { foldName } from '../csv/columns.pure.ts';
import { cleanText, oneLine } from '../shared/text.pure.ts';
import type { OutputField } from './job-options.ts';
import { outputKeys } from './output-schema.pure.ts';
import { findPlaceholder } from './placeholder.pure.ts';
import { readNumber } from './read-number.pure.ts';

export const longestText = 2000;

/** An output that an answer lacks, and what the model gave instead, in words that go on from `The model gave`. */
export type WrongOutput = { index: number; gave: string };

/** The cells of an answer, or what is wrong with it; undefined: it is no JSON object. */
export type ReadOutputs =
  | { cells: string[]; wrong?: never }
  | { wrong: WrongOutput[]; cells?: never }
  | undefined;

/** What models write for null. */
const unknown =
  /^(?:null|n\/?a|unknown|undefined|not (?:known|available|specified|stated)|[-–—]?)$/i;

type ReadCell = { cell: string } | { gave: string };

const boolean = new Map([
  ['true', 'true'],
  ['yes', 'true'],
  ['false', 'false'],
  ['no', 'false'],
]);

const asText = (value: unknown): string | undefined =>
  typeof value === 'string' || typeof value === 'number' ? String(value) : undefined;

function readText(value: unknown): ReadCell {
  const cell = asText(value);
  if (cell === undefined) return { gave: 'no text' };
  // Cleaned of what makes it longer before it is measured.
  const text = cleanText(cell, cell.length);
  if (text.length > longestText) return { gave: 'more than 2,000 characters' };
  const found = findPlaceholder(text);
  return found === undefined
    ? { cell: text }
    : { gave: `a placeholder such as ${oneLine(found, 60)}` };
}

function readChoice(value: unknown, choices: readonly string[]): ReadCell {
  const written = foldName(asText(value) ?? '');
  const cell = choices.find((choice) => foldName(choice) === written);
  return cell === undefined ? { gave: 'none of the choices' } : { cell };
}

function readBoolean(value: unknown): ReadCell {
  const isEither = typeof value === 'boolean' || typeof value === 'string';
  const cell = isEither ? boolean.get(foldName(String(value))) : undefined;
  return cell === undefined ? { gave: 'neither true nor false' } : { cell };
}

function readNumberCell(value: unknown): ReadCell {
  const cell = readNumber(value);
  return cell === undefined ? { gave: 'no number' } : { cell };
}

/** The cell of one value; null and words for it leave it empty, unless they are a choice. */
export function readOutput({ type, choices = [] }: OutputField, value: unknown): ReadCell {
  if (value === undefined) return { gave: 'no answer' };
  const choice = type === 'choice' ? readChoice(value, choices) : undefined;
  if (choice && 'cell' in choice) return choice;
  if (value === null || (typeof value === 'string' && unknown.test(value.trim())))
    return { cell: '' };
  if (choice) return choice;
  if (type === 'number') return readNumberCell(value);
  return type === 'boolean' ? readBoolean(value) : readText(value);
}

/** The one JSON object of an answer, by folded key, whatever is written around it. */
function objectIn(text: string): Map<string, unknown> | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text.slice(text.indexOf('{'), text.lastIndexOf('}') + 1));
  } catch {
    return undefined;
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) return undefined;
  return new Map(Object.entries(parsed).map(([key, value]) => [foldName(key), value]));
}

/** Reads an answer without thoughts. A model that knows no schema may write an output's name for its key. */
export function readOutputs(outputs: readonly OutputField[], text: string): ReadOutputs {
  const values = objectIn(text);
  if (!values) return undefined;
  const keys = outputKeys(outputs);
  const cells = outputs.map((output, i) => {
    const [key = '', name] = [keys[i], foldName(output.name)];
    const isNamed = !values.has(key) && !keys.includes(name);
    return readOutput(output, values.get(isNamed ? name : key));
  });
  const wrong = cells.flatMap((read, index) =>
    'gave' in read ? [{ index, gave: read.gave }] : [],
  );
  if (wrong.length > 0) return { wrong };
  return { cells: cells.map((read) => ('cell' in read ? read.cell : '')) };
}
