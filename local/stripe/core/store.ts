import templates from '../objects.json' with { type: 'json' };
import { newId } from './ids.ts';
import { missing } from './problem.ts';
import { Table, type Links } from './table.ts';
import type * as T from './types.ts';
import type { LineDraft } from '../resources/invoice-lines.ts';
import type { NewSubscription } from '../resources/subscriptions.ts';

/** What is kept of each kind of object. */
export type Tables = {
  coupon: T.Coupon;
  promotion_code: T.PromotionCode;
  discount: T.Discount;
  tax_rate: T.TaxRate;
  product: T.Product;
  price: T.Price;
  customer: T.Customer;
  customer_balance_transaction: T.CustomerBalanceTransaction;
  'checkout.session': T.Session;
  item: T.LineItem;
  subscription: T.Subscription;
  subscription_item: T.SubscriptionItem;
  subscription_schedule: T.Schedule;
  invoice: T.Invoice;
  line_item: T.InvoiceLine;
  invoiceitem: T.InvoiceItem;
  invoice_payment: T.InvoicePayment;
  payment_intent: T.PaymentIntent;
  charge: T.Charge;
  refund: T.Refund;
  dispute: T.Dispute;
  balance_transaction: T.BalanceTransaction;
  credit_note: T.CreditNote;
  'radar.early_fraud_warning': T.EarlyFraudWarning;
  payment_link: T.PaymentLink;
  'billing_portal.configuration': T.PortalConfiguration;
  'billing_portal.session': T.PortalSession;
  webhook_endpoint: T.WebhookEndpoint;
  event: T.StripeEvent;
};

/** How a customer's saved card answers: `none` has no card, `action` asks for 3-D Secure. */
export type Card = 'ok' | 'decline' | 'action' | 'none';

/** What a checkout session remembers beyond what Stripe shows of it. */
export type SessionNote = {
  lines: string[];
  /** What a single payment's intent is made with. */
  payment: Partial<T.PaymentIntent>;
  /** Whether Checkout saves the address or name that it collects on a customer it was given. */
  saves: { address: boolean; name: boolean };
  /** What the subscription is made with; its trial is settled when the session is made. */
  subscription: Pick<
    NewSubscription,
    'billingMode' | 'description' | 'metadata' | 'trialEnd' | 'trialSettings'
  >;
  /** What the page's e-mail field begins with; whoever pays may change it. */
  prefilledEmail?: string;
  /** An asynchronous payment on its way; settled at this unix second. */
  settlesAt: number | null;
};

/** State that belongs to no Stripe object. */
type Notes = {
  cards: Record<string, Card>;
  sessions: Record<string, SessionNote>;
  /** Secrets of webhook endpoints, by endpoint. */
  secrets: Record<string, string>;
  /** How a charge's next refund begins, where that is not `succeeded`; settled over `/_local`. */
  refundsBegin: Record<string, 'pending' | 'requires_action'>;
  /** The coupon of each discount as it was redeemed: it outlives the coupon's deletion. */
  redeemed: Record<string, T.Coupon>;
  /** How tax fails when the next invoice of a customer is to be finalized. */
  finalizationFails: Record<string, 'failed' | 'requires_location_inputs'>;
  /** The account's settings of Stripe Tax. */
  taxSettings: {
    status: 'active' | 'pending';
    behavior: 'exclusive' | 'inclusive' | 'inferred_by_currency' | null;
  };
  /** The flat rate wherever automatic tax was asked for, in percent. */
  taxPercent: number;
  /** The open invoice of each subscription's pending update. */
  pendingInvoices: Record<string, string>;
  /** What each pending invoice item will bill, as a line. */
  drafts: Record<string, LineDraft>;
  /** What becomes of a subscription after the last retry of a payment; a setting of the account. */
  afterRetries: 'cancel' | 'past_due' | 'unpaid';
  /** Subscriptions whose `trial_will_end` has been told. */
  trialsTold: Record<string, true>;
  /** Objects that came over `/_local/tell`: they are shown, and nothing falls due for them. */
  planted: Record<string, true>;
};

export type Saved = { tables: Record<string, T.Thing[]>; notes: Notes };

/** What Stripe calls a kind where that is not its `object`. */
const names: Partial<Record<keyof Tables, string>> = {
  promotion_code: 'promotion code',
  tax_rate: 'tax rate',
  customer_balance_transaction: 'customer balance transaction',
  item: 'line item',
  line_item: 'line item',
  balance_transaction: 'balance transaction',
  credit_note: 'credit note',
  'radar.early_fraud_warning': 'early fraud warning',
  'billing_portal.configuration': 'configuration',
  'billing_portal.session': 'session',
  webhook_endpoint: 'webhook endpoint',
};

const by = (...names: string[]): Links =>
  Object.fromEntries(names.map((name) => [name, (thing: T.Thing) => thing[name]]));

/** What objects are looked up by. Whoever changes such an id of one that is kept says `replace`. */
const links: Partial<Record<keyof Tables, Links>> = {
  charge: by('customer', 'payment_intent'),
  'checkout.session': by('customer', 'payment_intent', 'subscription'),
  credit_note: by('customer', 'invoice'),
  customer_balance_transaction: by('customer'),
  dispute: by('charge', 'payment_intent'),
  invoice: {
    ...by('customer'),
    subscription: (one) => (one as T.Thing & T.Invoice).parent?.subscription_details?.subscription,
  },
  invoice_payment: {
    ...by('invoice'),
    payment: (one) => (one as T.Thing & T.InvoicePayment).payment.payment_intent,
  },
  line_item: by('invoice'),
  'radar.early_fraud_warning': by('charge', 'payment_intent'),
  refund: by('charge', 'payment_intent'),
  subscription: by('customer'),
};

/** Templates as text: read anew they are copied faster than by any other way. */
const texts = new Map(
  Object.entries(templates).map(([kind, template]) => [kind, JSON.stringify(template)]),
);

/** A hash by id in which no id is special, `constructor` neither. */
const dictionary = <T>(from: Record<string, T> = {}): Record<string, T> =>
  Object.assign(Object.create(null) as Record<string, T>, from);

/** Everything the stand-in knows, in the order in which it came to be. */
export class Store {
  #tables = new Map<keyof Tables, Table>();
  notes: Notes = {
    afterRetries: 'cancel',
    cards: dictionary(),
    drafts: dictionary(),
    finalizationFails: dictionary(),
    refundsBegin: dictionary(),
    pendingInvoices: dictionary(),
    planted: dictionary(),
    redeemed: dictionary(),
    secrets: dictionary(),
    sessions: dictionary(),
    taxPercent: 0,
    taxSettings: { behavior: 'exclusive', status: 'active' },
    trialsTold: dictionary(),
  };

  #table(kind: keyof Tables): Table {
    let table = this.#tables.get(kind);
    if (!table) {
      table = new Table(links[kind] ?? {});
      this.#tables.set(kind, table);
    }
    return table;
  }

  /** For reading lists a page at a time. */
  table(kind: keyof Tables): Table {
    return this.#table(kind);
  }

  /** An object of the current shape: template first, then a fresh id, the time, and `fields`. */
  make<K extends keyof Tables>(kind: K, now: number, fields: Partial<Tables[K]>): Tables[K] {
    const template = JSON.parse(texts.get(kind) ?? `{"object":"${kind}"}`) as T.Thing;
    template.id = newId(kind);
    if ('created' in template) template.created = now;
    return Object.assign(template, fields) as Tables[K];
  }

  /** Makes an object and keeps it. */
  add<K extends keyof Tables>(kind: K, now: number, fields: Partial<Tables[K]>): Tables[K] {
    const made = this.make(kind, now, fields);
    this.#table(kind).set(made.id, made);
    return made;
  }

  find<K extends keyof Tables>(kind: K, id: string): Tables[K] | undefined {
    return this.#table(kind).get(id) as Tables[K] | undefined;
  }

  /** The object, or Stripe's `resource_missing`: 404 without `param`, 400 with it. */
  need<K extends keyof Tables>(kind: K, id: string, param?: string): Tables[K] {
    const found = this.find(kind, id);
    if (!found) throw missing(names[kind] ?? kind, id, param);
    return found;
  }

  /** Puts another object, such as the stub of a deleted one, in an object's place. */
  replace<O extends T.Thing>(kind: keyof Tables, id: string, object: O): O {
    this.#table(kind).set(id, object);
    return object;
  }

  remove(kind: keyof Tables, id: string): void {
    this.#table(kind).delete(id);
  }

  /** All objects of the kind, oldest first. */
  all<K extends keyof Tables>(kind: K): Tables[K][] {
    return this.#table(kind).all() as Tables[K][];
  }

  /** Those that belong to another object, oldest first: `of('refund', 'charge', 'ch_…')`. */
  of<K extends keyof Tables>(kind: K, link: string, owner: string): Tables[K][] {
    return this.#table(kind).linked(link, owner) as Tables[K][];
  }

  /** Those that are played here, not told of from outside. */
  played<K extends keyof Tables>(kind: K): Tables[K][] {
    const { planted } = this.notes;
    return this.#table(kind).slots.filter((one) => one && !planted[one.id]) as Tables[K][];
  }

  counts(): Record<string, number> {
    return Object.fromEntries([...this.#tables].map(([kind, table]) => [kind, table.size]));
  }

  save(): Saved {
    const tables = [...this.#tables].map(([kind, table]): [string, T.Thing[]] => [
      kind,
      table.all(),
    ]);
    return { tables: Object.fromEntries(tables), notes: this.notes };
  }

  load(saved: Saved): void {
    const kept = Object.entries(saved.notes).map(([name, note]) => [
      name,
      typeof note === 'object' ? dictionary(note as Record<string, unknown>) : note,
    ]);
    this.notes = { ...this.notes, ...(Object.fromEntries(kept) as Notes) };
    for (const [kind, things] of Object.entries(saved.tables))
      for (const thing of things) this.#table(kind as keyof Tables).set(thing.id, thing);
    // A subscription's item and a session's line show the price as it is, not as it was.
    const holders = [this.all('item'), this.all('subscription').flatMap((one) => one.items.data)];
    for (const holder of holders.flat())
      holder.price = this.find('price', holder.price.id) ?? holder.price;
  }
}
