/** What an operator has to look at, whoever finds it. */
export const noticeKinds = [
  'duplicate_subscription',
  'unlinked_payment',
  'fraud_warning',
  'renamed_price',
  'provider_refused',
  'reconcile_difference',
  'audit_difference',
  'account_suspended',
] as const;

export type NoticeKind = (typeof noticeKinds)[number];

export type Notice = {
  kind: NoticeKind;
  /** What it is about: `charge`, `subscription`, `user`, …, and its id. */
  subject: { type: string; id: string };
  /** A sentence for an operator; no e-mail address. */
  detail: string;
  /** It was closed and is true still, or anew: it comes again in the same words. */
  isAgain?: boolean;
};

/** Somebody else's words without what looks like an e-mail address. */
export const withoutAddresses = (words: string): string =>
  words.replaceAll(/[^\s<>"'(),;:]+@[^\s<>"'(),;:]+/g, '(an address)');
