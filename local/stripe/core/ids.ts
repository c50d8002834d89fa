import { randomBytes } from 'node:crypto';

const letters = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

const pool = { bytes: randomBytes(8192), used: 0 };

/** `length` random characters of base 62. */
export function random(length: number): string {
  if (pool.used + length > pool.bytes.length)
    Object.assign(pool, { bytes: randomBytes(8192), used: 0 });
  let out = '';
  for (const byte of pool.bytes.subarray(pool.used, (pool.used += length)))
    out += letters[byte % 62] ?? '0';
  return out;
}

/** Prefixes and lengths as Stripe's own ids have them. */
export const idForms = {
  coupon: ['', 8],
  promotion_code: ['promo_1', 23],
  discount: ['di_1', 23],
  tax_rate: ['txr_1', 23],
  product: ['prod_', 14],
  price: ['price_1', 23],
  customer: ['cus_', 14],
  customer_balance_transaction: ['cbtxn_1', 23],
  'checkout.session': ['cs_test_a1', 56],
  item: ['li_1', 23],
  subscription: ['sub_1', 23],
  subscription_item: ['si_', 14],
  subscription_schedule: ['sub_sched_1', 23],
  invoice: ['in_1', 23],
  line_item: ['il_1', 23],
  invoiceitem: ['ii_1', 23],
  invoice_payment: ['inpay_1', 23],
  payment_intent: ['pi_3', 23],
  charge: ['ch_3', 23],
  refund: ['re_3', 23],
  dispute: ['du_1', 23],
  balance_transaction: ['txn_3', 23],
  credit_note: ['cn_1', 23],
  'radar.early_fraud_warning': ['issfr_1', 23],
  payment_link: ['plink_1', 23],
  'billing_portal.configuration': ['bpc_1', 23],
  'billing_portal.session': ['bps_1', 23],
  webhook_endpoint: ['we_1', 23],
  event: ['evt_1', 23],
} as const;

type Kind = keyof typeof idForms;

/** A fresh id of the kind: `newId('price')` → `price_1…`. */
export function newId(kind: Kind): string {
  const [prefix, length] = idForms[kind];
  return prefix + random(length);
}
