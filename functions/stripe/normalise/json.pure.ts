/** What Stripe sends, before it is read: nothing here trusts a shape, and what is missing is undefined. */
export type Json = Record<string, unknown>;

/** An object that cannot be read; the message says what it lacks, for an operator. */
export class Unreadable extends Error {}

/** @throws Unreadable */
export function need<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new Unreadable(what);
  return value;
}

export const asObject = (value: unknown): Json =>
  value !== null && typeof value === 'object' && !Array.isArray(value) ? (value as Json) : {};

/** A list of Stripe's, or a plain one. */
export const asList = (value: unknown): Json[] => {
  const list = Array.isArray(value) ? value : asObject(value)['data'];
  return Array.isArray(list) ? list.map(asObject) : [];
};

/** Whether a list goes on beyond what the object embeds. */
export const hasMore = (value: unknown): boolean => asObject(value)['has_more'] === true;

/** Text that Postgres can store: not empty, no NUL, no half of a surrogate pair. */
export const asText = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' && !value.includes('\0') && value.isWellFormed()
    ? value
    : undefined;

export const asInteger = (value: unknown): number | undefined =>
  Number.isSafeInteger(value) ? (value as number) : undefined;

/** A count or an amount that cannot be negative. */
export const asAmount = (value: unknown): number | undefined => {
  const amount = asInteger(value);
  return amount !== undefined && amount >= 0 ? amount : undefined;
};

/** Unix seconds, until 2255: beyond it microseconds are no exact numbers. */
export const asSeconds = (value: unknown): number | undefined => {
  const seconds = asAmount(value);
  return seconds !== undefined && seconds <= 9_007_199_254 ? seconds : undefined;
};

/**
 * A number that may be left out: then `fallback`.
 * @throws Unreadable for one that is there and cannot be counted with, such as beyond 2^53
 */
export const amountOr = <T>(value: unknown, fallback: T, what: string): number | T =>
  (value ?? null) === null ? fallback : need(asAmount(value), `${what} is no usable number.`);

/** Unix seconds that may be left out. @throws Unreadable for what is no time until 2255 */
export const secondsOrNull = (value: unknown, what: string): number | null =>
  (value ?? null) === null ? null : need(asSeconds(value), `${what} is no usable time.`);

/** The id of a field that is an id or the expanded object. */
export const idOf = (value: unknown): string | undefined =>
  asText(value) ?? asText(asObject(value)['id']);

/** The first of `fields` of an object that holds an id. */
export const idAt = (object: Json, ...fields: string[]): string | null =>
  fields.map((field) => idOf(object[field])).find((id) => id !== undefined) ?? null;

/** A value that names somebody: what forms and templates leave behind when they are empty does not. */
export const asIdentity = (value: unknown): string | undefined => {
  const text = asText(value)?.trim();
  if (!text || /^(null|undefined|none|nan|\[object object\]|<.*>|\{\{.*\}\})$/i.test(text))
    return undefined;
  return text;
};

/**
 * Whether an id in metadata is one that we wrote: those of our users are UUIDs. Other shops on the same Stripe
 * account write `user_id` too.
 */
export const isOurId = (id: string | null | undefined): boolean =>
  /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(id ?? '');

/** Each of what is there, once. */
export const present = (values: (string | null | undefined)[]): string[] => [
  ...new Set(values.filter((value) => value !== undefined && value !== null)),
];
