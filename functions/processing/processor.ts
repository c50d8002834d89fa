import type { Message } from '../providers/model.ts';
import type { Research } from '../providers/research.ts';

/** What a row may ask of the outside. Both throw `ProviderError` or `RowPostponed`. */
export type RowTools = {
  /** A summary in a few lines, at most 2,000 characters; empty when nothing was found. */
  search: (query: Research) => Promise<string>;
  /** The model's answer, at most 8,000 characters; `maxTokens` is 600 unless given. */
  complete: (messages: Message[], options?: { maxTokens?: number }) => Promise<string>;
};

export type RowInput = {
  header: readonly string[];
  row: readonly string[];
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
