import type { Config } from '../../env.ts';
import type { SlotFetch } from '../slots.ts';

export type RowInput = {
  header: readonly string[];
  row: readonly string[];
  prompt: string;
  config: Pick<Config, 'search' | 'llm'>;
  fetch: SlotFetch;
};

/**
 * One way of working a row. To add one, write a file that exports this and list it in
 * `processors.ts`. `process` gives a cell for each of `outputColumns` or throws; the message of a
 * `ProviderError` is shown to the user.
 */
export type RowProcessor = {
  name: string;
  outputColumns: readonly string[];
  process: (input: RowInput) => Promise<string[]>;
};

/** What is stored of a row. */
export type RowResult = { status: 'ok'; cells: string[] } | { status: 'error'; error: string };
