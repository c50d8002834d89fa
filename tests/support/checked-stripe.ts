import { startStripe, type StripeOptions, type StripeStandIn } from '../../local/stripe/index.ts';
import {
  validateAnswer,
  validateEvent,
  validateParams,
  validateRefusal,
} from './stripe-description/index.ts';

type Seen = Parameters<NonNullable<StripeOptions['observe']>>[0];
export type CheckedStripe = StripeStandIn & {
  /** @throws Error naming everything seen so far that Stripe's description does not allow. */
  checkShapes: () => void;
};

/** Parameters that were refused need not exist; those that were taken must. */
function problemsOf(seen: Seen): string[] {
  if ('object' in seen) return validateEvent(seen);
  if (seen.status >= 400) return validateRefusal(seen.body);
  return [...validateParams(seen), ...validateAnswer(seen, seen.body)];
}

/**
 * The stand-in, held against Stripe's description: all that it answers and delivers, and the parameters
 * that it takes. `close` fails with what was wrong; until then nothing is slowed down by looking.
 */
export async function startCheckedStripe(options: StripeOptions = {}): Promise<CheckedStripe> {
  // Some tests ask the same thing many thousand times.
  const seen = new Map<string, Seen>();
  const observe = (one: Seen): void => void seen.set(JSON.stringify(one), one);
  const standIn = await startStripe({ ...options, observe });
  const checkShapes = (): void => {
    const told = [...seen.values()]
      .flatMap(problemsOf)
      .map((each) => each.replaceAll(/\[\d+\]/g, '[]'));
    if (told.length > 0)
      throw new Error(`Stripe would not say so:\n${[...new Set(told)].join('\n')}`);
  };
  return {
    ...standIn,
    checkShapes,
    close: async () => {
      await standIn.close();
      checkShapes();
    },
  };
}
