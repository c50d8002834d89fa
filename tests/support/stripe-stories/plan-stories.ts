import { makePrice, ourPrice } from './catalogue.ts';
import { bill } from './invoices.ts';
import { fullLine, onceLine } from './lines.ts';
import { Story, type Cast, type Price } from './story.ts';
import { addPending, changeItem, renew, subscribe } from './subscriptions.ts';

const DAY = 86_400;
const addOn = (story: Story, amount: number, interval: 'month' | 'year' = 'month'): Price =>
  makePrice(story, { amount, interval, name: 'Support' });

/** A plan beside an add-on that costs five times as much and is listed first; one renewal. */
export function dearerAddOn(cast?: Cast): Story {
  const story = new Story(cast);
  renew(story, subscribe(story, { items: [addOn(story, 9900), ourPrice(story, 'plan')] }));
  return story;
}

/** A monthly plan beside a yearly add-on: they bill together once, then apart. */
export function yearlyAddOn(cast?: Cast): Story {
  const story = new Story(cast);
  const items = [addOn(story, 99_000, 'year'), ourPrice(story, 'plan')];
  const subscription = subscribe(story, { items });
  for (let month = 0; month < 2; month += 1) renew(story, subscription);
  return story;
}

/** A metered item stands first and bills the period that ended, the plan the one that begins. */
export function meteredFirst(cast?: Cast): Story {
  const story = new Story(cast);
  const calls = makePrice(story, { amount: 2, interval: 'month', metered: true });
  const subscription = subscribe(story, { items: [calls, ourPrice(story, 'plan')] });
  renew(story, subscription, { units: { [calls.id]: 3000 } });
  return story;
}

/** Ten prorations of seats stand before the plan's line, which is the eleventh and not embedded. */
export function tenOldProrations(cast?: Cast): Story {
  const story = new Story(cast);
  const subscription = subscribe(story, { items: [ourPrice(story, 'plan'), addOn(story, 500)] });
  const seats = subscription.items.data[1];
  for (const quantity of [2, 3, 2, 3, 4]) {
    story.wait(DAY);
    changeItem(story, subscription, { behavior: 'create_prorations', item: seats, quantity });
  }
  renew(story, subscription);
  return story;
}

/** Twelve items, the plan last: `lines.has_more`, and its line is on the second page. */
export function twelveLines(cast?: Cast): Story {
  const story = new Story(cast);
  const others = Array.from({ length: 11 }, (_, n) => addOn(story, 100 + n));
  renew(story, subscribe(story, { items: [...others, ourPrice(story, 'plan')] }));
  return story;
}

/** Something sold once waits for the renewal and costs more than the plan. */
export function pendingOneOff(cast?: Cast): Story {
  const story = new Story(cast);
  const subscription = subscribe(story);
  const hour = makePrice(story, { amount: 15_000, name: 'Consulting' });
  addPending(story.wait(DAY), subscription, onceLine(story, hour));
  renew(story, subscription);
  return story;
}

/** The first invoice of a trial has a set-up fee beside the plan's zero line; then the plan is paid. */
export function setUpFeeOnTrial(cast?: Cast): Story {
  const story = new Story(cast);
  const once = [makePrice(story, { amount: 4900, name: 'Set-up' })];
  renew(story, subscribe(story, { once, trialDays: 14 }));
  return story;
}

/** The dashboard gives a trial a week more, for a second zero invoice. */
export function trialExtended(cast?: Cast): Story {
  const story = new Story(cast);
  const subscription = subscribe(story, { trialDays: 14 });
  const id = story.wait(10 * DAY).id('in_1');
  story.change('customer.subscription.updated', subscription, (one) => {
    one.latest_invoice = id;
    one.trial_end = one.billing_cycle_anchor += 7 * DAY;
    for (const item of one.items.data) item.current_period_end = one.billing_cycle_anchor;
  });
  const lines = subscription.items.data.map((item) => ({ ...fullLine(item), amount: 0 }));
  const reason = 'subscription_update';
  bill(story, { customer: subscription.customer, id, lines, reason, subscription });
  renew(story, subscription);
  return story;
}

/** The dashboard sets the quantity to 2, 1 and 2 again, and invoices each change. */
export function quantityToAndFro(cast?: Cast): Story {
  const story = new Story(cast);
  const subscription = subscribe(story);
  for (const quantity of [2, 1, 2])
    changeItem(story.wait(5 * DAY), subscription, { behavior: 'always_invoice', quantity });
  renew(story, subscription);
  return story;
}
