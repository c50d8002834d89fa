import type { Fact, PlanTerms, RenewalMode } from '../ledger/facts.pure.ts';
import type { Notice } from '../notices/notice.pure.ts';
import { isOurId, Unreadable } from './normalise/json.pure.ts';

/** A Stripe event as far as we rely on it; `payload` is the whole. */
export type StripeEvent = {
  id: string;
  type: string;
  /** Unix seconds. */
  created: number;
  apiVersion: string | null;
  /** Why nothing can be read of it although it is stored. */
  flaw?: string;
  payload: Record<string, unknown>;
};

/** What a price of ours means; a plan's or a pack's. */
export type CataloguePrice = {
  priceId: string;
  kind: 'plan' | 'pack';
  key: string;
  /** Of a period or a piece; null: unlimited. */
  credits: number | null;
  trialCredits: number;
  interval: 'month' | 'year' | null;
  grantsMonthly: boolean;
  amountCents: number;
  currency: string;
  productId: string;
  /** The one that a key alone means. */
  onSale: boolean;
};

/** All that policies know besides the object: the prices of ours by id, and the settings of the moment. */
export type Knowledge = {
  prices: ReadonlyMap<string, CataloguePrice>;
  mode: RenewalMode;
  graceDays: number;
  /** When facts are decided, milliseconds since 1970. */
  decidedAtMs: number;
  /** Whether our key is of live mode; null: it does not say. */
  livemode: boolean | null;
};

/** Who an event is about, most telling first; see `rowloom.user_resolve` and whose.pure.ts. */
export type EventIdentity = {
  /** Of metadata, which only we write. */
  userIds: string[];
  /** Of metadata that may be another shop's, and no ids of ours: they count where the customer is ours. */
  doubtfulIds?: string[];
  customerId: string | null;
  /** What whoever pays may choose: a client reference, an e-mail address. */
  references?: string[];
  email: string | null;
  /** A subscription whose user is known is that user's. */
  subscriptionId?: string | null;
  /** Ids of a payment: the user is whoever got what it bought. */
  refs?: string[];
};

/** As of when Stripe has it so, microseconds since 1970: the newest holds. Null: nothing comes after it. */
type AsOf = {
  atUs: number | null;
  /** Asked for just now: of two such in one second the later answer holds. */
  isRead: boolean;
};

/** A price, a product's name or a customer as Stripe has it: not a fact of a user's books. */
export type CatalogueChange =
  | ({
      change: 'price';
      priceId: string;
      productId: string;
      kind: string;
      key: string;
      name: string;
      credits: number | null;
      trialCredits: number;
      interval: string | null;
      grantsMonthly: boolean;
      amountCents: number;
      currency: string;
      /** Not archived. */
      active: boolean;
      /** Offered to everybody who may buy its kind. */
      listed: boolean;
      /** Unix seconds. */
      createdAt: number;
      /** Kind and key by which it was known when this was decided; null: not at all. */
      knownAs: string | null;
    } & AsOf)
  | { change: 'price_deleted'; priceId: string }
  | ({ change: 'product'; productId: string; name: string } & AsOf)
  | { change: 'customer_deleted'; customerId: string; userId: string | null };

export type FailureCode =
  | 'missing_metadata'
  | 'unreadable'
  | 'unknown_price'
  | 'unknown_user'
  | 'ambiguous_user'
  | 'unknown_payment'
  | 'stripe_unavailable'
  /** The account or the catalogue changed too often meanwhile. */
  | 'busy'
  /** An error of ours. */
  | 'internal';

export type Failure = { code: FailureCode; detail: string; waitsFor?: string[] };

/**
 * By a price or a pack of ours: if nobody is found for it, it waits for somebody. `if_named`: what it sells is not
 * known, so it is if it names an account.
 */
export type IsOurs = boolean | 'if_named';

/** What an event comes to: nothing, nothing until somebody removes the cause, or facts. */
export type Reading =
  | { skip: string }
  | {
      fail: Failure;
      /** Whose it would be. What is about nobody we know, and is not ours by itself, is no failure. */
      identity?: EventIdentity;
      isOurs?: IsOurs;
    }
  | {
      /** Null: about nobody, such as the catalogue. */
      identity: EventIdentity | null;
      isOurs: IsOurs;
      /** A reversal whose `payment` is empty belongs to the payment that `identity.refs` name. */
      facts: Fact[];
      /** Stripe ids by which a payment (the key of its fact) is known. */
      links: { ref: string; payment: string }[];
      changes: CatalogueChange[];
      notices: Notice[];
    };

/** What an object lacks that Stripe has to be asked for before it can be read. */
export type Lack =
  | { lack: 'invoice_lines'; invoiceId: string }
  /** None of an invoice's lines is a plan: whether its subscription has one tells add-ons from plans. */
  | { lack: 'subscription'; subscriptionId: string }
  | { lack: 'subscription_items'; subscriptionId: string }
  /** A session says what it sells only when asked. */
  | { lack: 'session_lines'; sessionId: string }
  | { lack: 'payment_time'; paymentIntentId: string }
  | { lack: 'refunds'; chargeId: string }
  /** What the catalogue has next to it is the present state, not one of several in a second. */
  | { lack: 'price_now'; priceId: string }
  | { lack: 'product_now'; productId: string };

export const skip = (reason: string): Reading => ({ skip: reason });

export const fail = (code: FailureCode, detail: string, waitsFor?: string[]): Reading => ({
  fail: { code, detail, ...(waitsFor && { waitsFor }) },
});

/** What is not known to be ours names nobody by another shop's numbering. */
const named = (identity: EventIdentity, isOurs: IsOurs): EventIdentity => {
  const doubtfulIds = isOurs === true ? [] : identity.userIds.filter((id) => !isOurId(id));
  if (doubtfulIds.length === 0) return identity;
  return { ...identity, userIds: identity.userIds.filter(isOurId), doubtfulIds };
};

/** A failure of something that is only ours if it says so itself, or if we know whose it is. */
export const failFor = (
  { identity, isOurs }: { identity: EventIdentity; isOurs: IsOurs },
  failure: Failure,
): Reading => ({ fail: failure, identity: named(identity, isOurs), isOurs });

type Told = {
  isOurs?: IsOurs;
  facts?: Fact[];
  links?: { ref: string; payment: string }[];
  changes?: CatalogueChange[];
  notices?: Notice[];
};

/** What an object says about somebody, or about nobody. */
export const tell = (
  identity: EventIdentity | null,
  { isOurs = true, facts = [], links = [], changes = [], notices = [] }: Told = {},
): Reading => ({
  identity: identity && named(identity, isOurs),
  isOurs,
  facts,
  links,
  changes,
  notices,
});

/** Microseconds of Stripe's seconds. */
export const microseconds = (seconds: number): number => seconds * 1_000_000;

/** Sums of lots stay exact numbers: nobody buys more at once. */
const mostCredits = 100_000_000_000_000;
const mostPieces = 1_000_000_000;

/** @throws Unreadable for a plan so many times that it cannot be counted */
export function assertCountable({ priceId, credits }: PlanTerms, quantity: number): void {
  if (quantity > mostPieces || (credits ?? 0) * quantity > mostCredits)
    throw new Unreadable(`Nobody counts ${quantity} of ${priceId}.`);
}

/** The plan of a price; null for a pack. */
export const termsOf = (price: CataloguePrice): PlanTerms | null =>
  price.kind === 'plan'
    ? {
        plan: price.key,
        priceId: price.priceId,
        credits: price.credits,
        trialCredits: price.trialCredits,
        interval: price.interval ?? 'month',
        grantsMonthly: price.grantsMonthly,
      }
    : null;
