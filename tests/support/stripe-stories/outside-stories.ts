import { makePrice, ourPrice } from './catalogue.ts';
import { bill } from './invoices.ts';
import { onceLine } from './lines.ts';
import { buyPack, saveCard } from './sessions.ts';
import { Story, type Cast } from './story.ts';
import { makeCustomer, renew, subscribe } from './subscriptions.ts';

/** What a payer can write into a Payment Link: any reference, the cast's user included. */
const chosenBy = (story: Story) => ({
  client_reference_id: story.cast.userId ?? 'somebody',
  metadata: {},
});

/** A pack by Payment Link: a guest, a reference of the payer's choice, no metadata of ours. */
export function packByPaymentLink(cast?: Cast): Story {
  const story = new Story(cast);
  buyPack(story, { fields: { ...chosenBy(story), payment_link: story.id('plink_1') } });
  return story;
}

/** A plan by Payment Link or, without `payment_link`, by a pricing table on somebody's page. */
export function planByPaymentLink(cast?: Cast): Story {
  const story = new Story(cast);
  const session = { ...chosenBy(story), payment_link: story.id('plink_1') };
  renew(story, subscribe(story, { session }));
  return story;
}
export function planByPricingTable(cast?: Cast): Story {
  const story = new Story(cast);
  renew(story, subscribe(story, { session: chosenBy(story) }));
  return story;
}

/** The account sells other things: a subscription, a session, an invoice, a saved card. */
export function otherSubscription(cast?: Cast): Story {
  const story = new Story({ ...cast, email: 'else@example.com' });
  const items = [makePrice(story, { amount: 3000, interval: 'month' })];
  renew(story, subscribe(story, { items, session: null }));
  return story;
}
export function otherSession(cast?: Cast): Story {
  const story = new Story({ ...cast, email: 'else@example.com' });
  buyPack(story, { fields: {}, price: makePrice(story, { amount: 2500 }) });
  return story;
}
export function oneOffInvoice(cast?: Cast): Story {
  const story = new Story({ ...cast, email: 'else@example.com' });
  const lines = [onceLine(story, makePrice(story, { amount: 12_000 }))];
  bill(story, {
    customer: makeCustomer(story, { metadata: {} }).id,
    lines,
    reason: 'manual',
    subscription: null,
  });
  return story;
}
export function setupSession(cast?: Cast): Story {
  const story = new Story(cast);
  saveCard(story, makeCustomer(story).id);
  return story;
}

/** The same sale on a connected account, and with a live key: neither is ours to book. */
export function onConnectedAccount(cast?: Cast): Story {
  const story = new Story({ ...cast, account: 'acct_1Connected' });
  subscribe(story);
  return story;
}
export function inLiveMode(cast?: Cast): Story {
  const story = new Story({ ...cast, livemode: true });
  subscribe(story);
  return story;
}

/** A thin event: no object, only where it is. Source: https://docs.stripe.com/event-destinations#thin-events */
export function thinEvent(cast?: Cast): Story {
  const story = new Story(cast);
  const meter = story.id('mtr_test_');
  story.send({
    id: story.id('evt_test_'),
    object: 'v2.core.event',
    created: new Date(story.at * 1000).toISOString(),
    livemode: false,
    related_object: { id: meter, type: 'billing.meter', url: `/v1/billing/meters/${meter}` },
    type: 'v1.billing.meter.error_report_triggered',
  });
  return story;
}

/** No decimals (yen), and three of which the last is 0 (dinar). Source: https://docs.stripe.com/currencies */
const paidIn =
  (currency: string, amount: number) =>
  (cast?: Cast): Story => {
    const story = new Story({ ...cast, currency });
    const { metadata } = ourPrice(story, 'plan');
    const price = makePrice(story, { amount, interval: 'month', metadata });
    renew(story, subscribe(story, { items: [price], taxPercent: 10 }), { taxPercent: 10 });
    return story;
  };
export const inYen = paidIn('jpy', 1980);
export const inDinar = paidIn('kwd', 6000);
