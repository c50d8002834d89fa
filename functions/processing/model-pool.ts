import type { ModelConfig } from '../env.ts';
import { callProvider, type Provider, type ProviderCall } from '../providers/call-provider.ts';
import { blamed, ProviderAway, ProviderError, RowPostponed } from '../providers/errors.pure.ts';
import { askModel, estimateTokens, type Message, type ModelAnswer } from '../providers/model.ts';
import type { CompleteOptions } from './processor.ts';

const defaultMaxTokens = 600;

/** Longer than this a row does not wait for a model while there is another one. */
const impatientMs = 500;

/** A model as one invocation uses it. */
export type PooledModel = { model: ModelConfig; provider: Provider };

/** `onAsked` hears of every call that is paid for: it was answered, or cut while the model wrote. */
type Question = {
  messages: Message[];
  options: CompleteOptions & { maxTokens: number };
  onAsked: () => void;
};

/** Asks models for rows: `isUrgent` at a moment when rows should rather end than begin. */
export function createModelPool(
  pool: [PooledModel, ...PooledModel[]],
  of: { isUrgent: () => boolean; onAnswer: (model: ModelConfig, answer: ModelAnswer) => void },
) {
  const ask = (
    { model, provider }: PooledModel,
    { messages, options, onAsked }: Question,
    longestWaitMs?: number,
  ): Promise<ModelAnswer> =>
    callProvider(
      provider,
      estimateTokens(model, messages, options.maxTokens),
      async (call) => {
        const asked = { ...options, urgent: of.isUrgent() };
        const answer = await hearingOfCuts(call, onAsked, (heard) =>
          askModel(model, heard, messages, asked),
        );
        onAsked();
        of.onAnswer(model, answer);
        return { answer, tokens: answer.usage.tokensIn + answer.usage.tokensOut };
      },
      longestWaitMs,
    ).catch((error: unknown) => {
      throw blamed(error);
    });

  /** The answer of the first that works and has a turn soon; else what keeps each of them. */
  const askSoon = async (question: Question) => {
    const away: ProviderAway[] = [];
    const busy: { one: PooledModel; waitMs: number }[] = [];
    for (const one of pool)
      try {
        return { answer: await ask(one, question, impatientMs) };
      } catch (error) {
        const { signal } = one.provider.deadline;
        if (error instanceof ProviderAway) away.push(error);
        else if (error instanceof RowPostponed && !signal.aborted)
          busy.push({ one, waitMs: error.retryAfterMs });
        else throw error;
      }
    return { away, busy };
  };

  /** The first model that works and has a turn; if none has one soon, the one that has it first. */
  return async (
    messages: Message[],
    given: CompleteOptions,
    onAsked: () => void,
  ): Promise<ModelAnswer> => {
    const options = { ...given, maxTokens: given.maxTokens ?? defaultMaxTokens };
    const question = { messages, options, onAsked };
    const [only] = pool;
    if (pool.length === 1) return ask(only, question);
    const { answer, away = [], busy = [] } = await askSoon(question);
    if (answer) return answer;
    const [soonest] = busy.toSorted((a, b) => a.waitMs - b.waitMs);
    if (soonest) return ask(soonest.one, question);
    const [first] = away;
    // It can go on as soon as one of them works.
    const names = pool.map(({ model }) => model.name);
    throw first ? new ProviderAway(first, names) : new RowPostponed();
  };
}

/** A call that is cut once it was sent, and refused by nobody, was begun by the model. */
async function hearingOfCuts<T>(
  call: ProviderCall,
  onCut: () => void,
  work: (call: ProviderCall) => Promise<T>,
): Promise<T> {
  let isSent = false;
  const check = async (): Promise<void> => {
    await call.check();
    isSent = true;
  };
  try {
    return await work({ ...call, check });
  } catch (error) {
    if (isSent && call.signal.aborted && !(error instanceof ProviderError)) onCut();
    throw error;
  }
}
