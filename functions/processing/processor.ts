import type { AnswerSchema, Finish, Message } from '../providers/model.ts';
import type { Research } from '../providers/research.ts';

/** What the model wrote, at most 32,000 characters: `finish` tells whether it is whole. */
export type Answer = { text: string; finish: Finish };

/** `maxTokens` is 600 unless given; with `jsonSchema` an answer is JSON, but for models that know none. */
export type CompleteOptions = { maxTokens?: number; jsonSchema?: AnswerSchema };

/**
 * What a row may ask of the outside; both count what they used. Both throw `ProviderError` or
 * `RowPostponed`.
 */
export type RowTools = {
  /** A summary in a few lines, at most 2,000 characters; empty when nothing was found. */
  search: (query: Research) => Promise<string>;
  complete: (messages: Message[], options?: CompleteOptions) => Promise<Answer>;
};
export type RowInput = {
  header: readonly string[];
  row: readonly string[];
  /** The columns that the model sees, besides those that the prompt names; null: all. */
  columns: readonly string[] | null;
  prompt: string;
  tools: RowTools;
};

/**
 * One way of working a row. To add one, write a file that exports this and list it in
 * `processors.ts`. `process` gives a cell for each of `outputColumns` or throws; the message of a
 * `ProviderError` is shown to the user.
 */
export type RowProcessor = {
  name: string;
  outputColumns: readonly string[];
  /** The prompt of a job that brings none. */
  defaultPrompt: string;
  /** What a row will search for, so that a chunk can ask the cache once; undefined: nothing. */
  research?: (header: readonly string[], row: readonly string[]) => Research | undefined;
  process: (input: RowInput) => Promise<string[]>;
};

/** What is stored of a row. */
export type RowResult = { status: 'ok'; cells: string[] } | { status: 'error'; error: string };
