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
};
