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

/** How problems end that the stand-in still has. Empty this; never add to it. */
const known = [
  '.features.subscription_update.products[].adjustable_quantity: missing',
  '.trial_settings.end_behavior.billing_cycle_anchor: missing',
];

/** Parameters that were refused need not exist; those that were taken must. */
function problemsOf(seen: Seen): string[] {
  if ('object' in seen) return validateEvent(seen);
  const { method, path, params, status, body } = seen;
  if (status >= 400) return validateRefusal(body);
  return [...validateParams(method, path, params), ...validateAnswer(method, path, body)];
}

/**
 * The stand-in, held against Stripe's description: all that it answers and delivers, and the parameters
 * that it takes. `close` fails with what was wrong; until then nothing is slowed down by looking.
 */
export async function startCheckedStripe(options: StripeOptions = {}): Promise<CheckedStripe> {
  const seen: Seen[] = [];
  const standIn = await startStripe({ ...options, observe: (one) => void seen.push(one) });
  const checkShapes = (): void => {
    const told = seen.flatMap(problemsOf).map((each) => each.replaceAll(/\[\d+\]/g, '[]'));
    const found = [...new Set(told)].filter((each) => !known.some((end) => each.endsWith(end)));
    if (found.length > 0) throw new Error(`Stripe would not say so:\n${found.join('\n')}`);
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
