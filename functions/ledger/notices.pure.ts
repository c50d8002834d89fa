import type { Notice } from '../notices/notice.pure.ts';
import type { Folded, Step } from './fold.pure.ts';
import type { Timeline } from './timeline.pure.ts';

/** A payment that somebody else made for an account that has a customer of its own. */
function unlinked({ fact }: Step): Notice[] {
  if (fact?.kind !== 'plan' && fact?.kind !== 'pack') return [];
  const subject =
    fact.kind === 'plan'
      ? { type: 'invoice', id: fact.invoice }
      : { type: 'checkout_session', id: fact.session };
  const detail = `${fact.customer ?? 'A guest'} chose this account and paid for it, and it has another Stripe customer: the credits were added, nothing was linked or reset. If it is the same person, set metadata.user_id in Stripe and reconcile the customer; if not, refund it.`;
  return [{ kind: 'unlinked_payment', subject, detail }];
}

/** Two subscriptions that are paid at once: both count, and one was hardly meant. */
const duplicate = ({ subscription, beside }: Folded['duplicates'][number]): Notice => ({
  kind: 'duplicate_subscription',
  subject: { type: 'subscription', id: subscription },
  detail: `It was paid while ${beside} lived, and both are honoured. If that was not meant, cancel one in Stripe and refund it.`,
});

/** What an operator has to see of a user's books. */
export function noticesOf(folded: Folded, timeline: Timeline): Notice[] {
  const { steps, payers, suspended } = folded;
  const unlinkedOnes = payers.isLinked
    ? steps.filter(({ fact }) => fact && payers.isOutside(fact)).flatMap(unlinked)
    : [];
  const others = [...folded.duplicates.map(duplicate), ...unlinkedOnes];
  const dispute = suspended?.dispute;
  if (dispute === undefined || timeline.suspendedReason === suspended?.reason) return others;
  const detail = `Suspended by dispute ${dispute}: what it disputes was used. It ends when the dispute is won, or when you lift it.`;
  return [
    ...others,
    { kind: 'account_suspended', subject: { type: 'dispute', id: dispute }, detail },
  ];
}
