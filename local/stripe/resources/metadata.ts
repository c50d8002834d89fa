import type { Meta } from '../core/types.ts';

/** Metadata after an update: null clears all, `''` one key. Source: https://docs.stripe.com/api/metadata */
export function mergeMetadata(old: Meta, given: Meta | null | undefined): Meta {
  if (given === undefined) return old;
  const merged = given === null ? {} : { ...old, ...given };
  return Object.fromEntries(Object.entries(merged).filter(([, value]) => value !== ''));
}

/** The named fields, those that were given. */
export const pick = <T extends object, K extends keyof T>(
  fields: T,
  names: readonly K[],
): { [P in K]: Exclude<T[P], undefined> } =>
  given(Object.fromEntries(names.map((name) => [name, fields[name]])) as Pick<T, K>);

/** The entries whose value is not undefined: what a request really gave. */
export const given = <T extends object>(fields: T): { [K in keyof T]: Exclude<T[K], undefined> } =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };
