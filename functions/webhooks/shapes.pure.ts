/**
 * Reads Stripe's objects as they are sent today and as endpoints pinned to versions before "basil"
 * (2025-03-31) still get them. Nothing here trusts a shape: what is missing is undefined.
 */
export type Json = Record<string, unknown>;

export const asObject = (value: unknown): Json =>
  value !== null && typeof value === 'object' && !Array.isArray(value) ? (value as Json) : {};

export const asList = (value: unknown): Json[] => {
  const list = Array.isArray(value) ? value : asObject(value)['data'];
  return Array.isArray(list) ? list.map(asObject) : [];
};

export const asText = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' ? value : undefined;

export const asInteger = (value: unknown): number | undefined =>
  Number.isSafeInteger(value) ? (value as number) : undefined;

/** The id of a field that is an id or the expanded object. */
export const idOf = (value: unknown): string | undefined =>
  asText(value) ?? asText(asObject(value)['id']);

/** A value that names somebody: what forms and templates leave behind when they are empty does not. */
export const asIdentity = (value: unknown): string | undefined => {
  const text = asText(value)?.trim();
  if (!text || /^(null|undefined|none|nan|\[object object\]|<.*>|\{\{.*\}\})$/i.test(text))
    return undefined;
  return text;
};

export type SubscriptionItem = {
  priceId: string | undefined;
  quantity: number;
  periodStart: number | undefined;
  periodEnd: number | undefined;
};

/** The item that the plan is: periods moved onto items with "basil". */
export function subscriptionItemOf(subscription: Json): SubscriptionItem {
  const item = asList(subscription['items'])[0] ?? {};
  return {
    priceId: idOf(item['price']) ?? idOf(item['plan']),
    quantity: asInteger(item['quantity']) ?? 1,
    periodStart:
      asInteger(item['current_period_start']) ?? asInteger(subscription['current_period_start']),
    periodEnd:
      asInteger(item['current_period_end']) ?? asInteger(subscription['current_period_end']),
  };
}

/** The subscription of an invoice, with the copy of its metadata that the invoice carries. */
export function invoiceSubscriptionOf(invoice: Json): { id: string | undefined; metadata: Json } {
  const details = asObject(asObject(invoice['parent'])['subscription_details']);
  const older = asObject(invoice['subscription_details']);
  return {
    id: idOf(details['subscription']) ?? idOf(invoice['subscription']),
    metadata: { ...asObject(older['metadata']), ...asObject(details['metadata']) },
  };
}

export type InvoiceLine = {
  priceId: string | undefined;
  amount: number;
  quantity: number;
  proration: boolean;
  periodStart: number | undefined;
  periodEnd: number | undefined;
};

export function invoiceLinesOf(invoice: Json): InvoiceLine[] {
  return asList(invoice['lines']).map((line) => {
    const parent = asObject(line['parent']);
    const item = {
      ...asObject(parent['subscription_item_details']),
      ...asObject(parent['invoice_item_details']),
    };
    const period = asObject(line['period']);
    return {
      priceId:
        idOf(asObject(asObject(line['pricing'])['price_details'])['price']) ??
        idOf(line['price']) ??
        idOf(line['plan']),
      amount: asInteger(line['amount']) ?? 0,
      quantity: asInteger(line['quantity']) ?? 1,
      proration: item['proration'] === true || line['proration'] === true,
      periodStart: asInteger(period['start']),
      periodEnd: asInteger(period['end']),
    };
  });
}
