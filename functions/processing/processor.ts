import type { JobOptions } from './job-options.ts';
import type { AnswerSchema, Finish, Message } from '../providers/model.ts';
import type { Research, Findings } from '../providers/research.ts';
import type { Sender } from './sender.ts';

/** What the model wrote, at most 32,000 characters: `finish` tells whether it is whole. */
export type Answer = { text: string; finish: Finish };

/** `maxTokens` is 600 unless given; with `jsonSchema` an answer is JSON, but for models that know none. */
export type CompleteOptions = { maxTokens?: number; jsonSchema?: AnswerSchema };

/**
 * What a row may ask of the outside; both count what they used. Both throw `ProviderError` or
 * `RowPostponed`.
 */
export type RowTools = {
  /** A summary in a few lines, at most 2,000 characters, and its sources; both empty when nothing was found. */
  search: (query: Research) => Promise<Findings>;
  complete: (messages: Message[], options?: CompleteOptions) => Promise<Answer>;
};

/** What all rows of a job are worked by: what its user has asked for. */
export type Brief = {
  header: readonly string[];
  /** The columns that the model sees, besides those that the prompt names; null: all. */
  columns: readonly string[] | null;
  prompt: string;
  options: JobOptions;
  /** The profile with what the job overrides; null: there is none. */
  sender: Sender | null;
};

/** A row that was worked: a cell for each output column, and what its user should know of it. */
export type RowCells = { cells: string[]; note?: string };

/** A row before it is worked: what will be searched for, and what the model gets if that has found `findings`. */
export type RowPlan = {
  /** Undefined: nothing is searched for. */
  query: Research | undefined;
  /** Why there is no query, if the row has none though others may; to be shown. */
  note?: string;
  messages: (findings: Findings) => Message[];
};

/**
 * One way of working a row. To add one, write a file that exports this and list it in
 * `processors.ts`. `process` throws; the message of a `ProviderError` is shown to the user.
 */
export type RowProcessor = {
  name: string;
  outputColumns: (options: JobOptions) => readonly string[];
  /** The prompt of a job that brings none. */
  defaultPrompt: string;
  /** Whether jobs with these options search the web. */
  searches: (options: JobOptions) => boolean;
  /** The columns that searches are made of, by the names of `columnNames`; empty: none, or none is known. */
  researchColumns: (brief: Brief) => string[];
  /** Shows and works rows by the same plan. */
  plan: (brief: Brief, row: readonly string[]) => RowPlan;
  process: (brief: Brief, row: readonly string[], tools: RowTools) => Promise<RowCells>;
};

/** What is stored of a row. */
export type RowResult = ({ status: 'ok' } & RowCells) | { status: 'error'; error: string };
