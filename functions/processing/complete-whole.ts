import { RowFault } from '../providers/errors.pure.ts';
import type { Message } from '../providers/model.ts';
import type { Answer, CompleteOptions, RowTools } from './processor.ts';

/** What an answer holds, or why it cannot be used; with a `retryHint` the model is asked once more. */
export type Reading<T> =
  | { value: T; error?: never }
  | { error: string; retryHint?: string; value?: never };

/**
 * Asks the model, and once more when its answer is broken, saying what was wrong. Throws a
 * `RowFault` in the user's words when that did not help either.
 */
export async function completeWhole<T>(
  tools: RowTools,
  messages: Message[],
  options: CompleteOptions,
  read: (answer: Answer) => Reading<T>,
): Promise<T> {
  const first = read(await tools.complete(messages, options));
  if (first.error === undefined) return first.value;
  if (first.retryHint === undefined) throw new RowFault(first.error);
  const again: Message[] = [...messages, { role: 'user', content: first.retryHint }];
  const second = read(await tools.complete(again, options));
  if (second.error === undefined) return second.value;
  throw new RowFault(second.error);
}
