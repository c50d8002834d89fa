import { ourPrice } from './catalogue.ts';
import { creditNote } from './credit-notes.ts';
import { chargeOf, moveBalance, payInvoice } from './invoices.ts';
import { buyPack } from './sessions.ts';
import { closeDispute, dispute, refund, warnOfFraud } from './payments.ts';
import { Story, type Cast } from './story.ts';
import { cancelNow, changeItem, renew, subscribe } from './subscriptions.ts';

const DAY = 86_400;

/** The price is switched mid-period with each proration behaviour; a renewal takes what was pending. */
const switched =
  (behavior: 'always_invoice' | 'create_prorations' | 'none') =>
  (cast?: Cast): Story => {
    const story = new Story(cast);
    const subscription = subscribe(story);
    changeItem(story.wait(10 * DAY), subscription, { behavior, price: ourPrice(story, 'bigger') });
    renew(story, subscription);
    return story;
  };
export const switchedAndInvoiced = switched('always_invoice');
export const switchedWithProrations = switched('create_prorations');
export const switchedForNothing = switched('none');

/** Half off from the next renewal on. Source: https://docs.stripe.com/api/discounts/object */
export function couponAdded(cast?: Cast): Story {
  const story = new Story(cast);
  const subscription = subscribe(story);
  const coupon = story.make('coupon', { duration: 'forever', percent_off: 50 });
  const discount = story.wait(DAY).make('discount', {
    customer: subscription.customer,
    source: { coupon: coupon.id, type: 'coupon' },
    start: story.at,
    subscription: subscription.id,
  });
  story.tell('customer.discount.created', discount);
  story.change('customer.subscription.updated', subscription, (one) => {
    one.discounts = [discount.id];
  });
  renew(story, subscription, { percentOff: { percent: 50, discount: discount.id } });
  return story;
}

/** Ended at once with `prorate` and `invoice_now`: the unused time becomes balance. */
export function cancelledWithInvoice(cast?: Cast): Story {
  const story = new Story(cast);
  const subscription = subscribe(story);
  cancelNow(story.wait(10 * DAY), subscription, true);
  return story;
}

/** Collection is paused over a renewal, which becomes a void, uncollectible or lasting draft. */
const paused =
  (behavior: 'void' | 'mark_uncollectible' | 'keep_as_draft') =>
  (cast?: Cast): Story => {
    const story = new Story(cast);
    const subscription = subscribe(story);
    story.wait(DAY).change('customer.subscription.updated', subscription, (one) => {
      one.pause_collection = { behavior, resumes_at: null };
    });
    renew(story, subscription);
    return story;
  };
export const pausedVoid = paused('void');
export const pausedUncollectible = paused('mark_uncollectible');
export const pausedAsDraft = paused('keep_as_draft');

/** The plan's charge refunded in part, without a word to us. */
export function refundedInPart(cast?: Cast): Story {
  const story = new Story(cast);
  subscribe(story);
  refund(story.wait(DAY), chargeOf(story, story.the('invoice')), 700);
  return story;
}

/** 79.00 due, 50.00 on the customer's balance: 29.00 by card, of which 10.00 go back. */
export function balancePaysPart(cast?: Cast): Story {
  const story = new Story(cast);
  const subscription = subscribe(story, { items: [ourPrice(story, 'bigger')] });
  moveBalance(story.wait(DAY), story.the('customer'), -5000);
  refund(story, chargeOf(story, renew(story, subscription)), 1000);
  return story;
}

/** An invoice of a subscription that somebody marks as paid outside Stripe. */
export function paidOutOfBand(cast?: Cast): Story {
  const story = new Story(cast);
  payInvoice(story, renew(story, subscribe(story), { isUnpaid: true }), true);
  return story;
}

/** Credit notes after payment, one a way: refund, customer balance, outside Stripe. */
const credited =
  (way: 'refund' | 'credit' | 'outOfBand') =>
  (cast?: Cast): Story => {
    const story = new Story(cast);
    subscribe(story);
    creditNote(story.wait(DAY), story.the('invoice'), { [way]: 900 });
    return story;
  };
export const creditNoteWithRefund = credited('refund');
export const creditNoteToBalance = credited('credit');
export const creditNoteOutOfBand = credited('outOfBand');

/** A credit note before payment: less is due, and that is paid. */
export function creditNoteBeforePayment(cast?: Cast): Story {
  const story = new Story(cast);
  const invoice = renew(story, subscribe(story), { isUnpaid: true });
  creditNote(story, invoice, { notDue: 400 });
  payInvoice(story, invoice);
  return story;
}

/** A plan's charge is disputed: prevented by an answer to the bank, or won weeks later. */
export function disputePrevented(cast?: Cast): Story {
  const story = new Story(cast);
  subscribe(story);
  dispute(story.wait(DAY), story.the('charge'), 'prevented');
  return story;
}
export function disputeWon(cast?: Cast): Story {
  const story = new Story(cast);
  subscribe(story);
  const made = dispute(story.wait(DAY), story.the('charge'), 'needs_response');
  closeDispute(story.wait(40 * DAY), made, 'won');
  return story;
}

/** The issuer warns of a pack's charge, which is then refunded. */
export function fraudWarning(cast?: Cast): Story {
  const story = new Story(cast);
  buyPack(story);
  warnOfFraud(story.wait(DAY), story.the('charge'));
  refund(story, story.the('charge'));
  return story;
}
