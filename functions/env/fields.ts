import * as z from 'zod';

/** The kinds of settings: each reads text and says what is wrong with it, never what it was. */
export const required = z.string('is missing').min(1, 'is empty');
export const optional = z.string().min(1, 'is empty').optional();

export const protocolOf = (value: string): string =>
  URL.canParse(value) ? new URL(value).protocol : '';
export const withoutEndSlash = (value: string): string => value.replace(/\/+$/, '');

export const url = required.refine(
  (value) => /^https?:$/.test(protocolOf(value)),
  'is not an http(s) URL',
);

export const count = (fallback: number, min = 0, max = 2_000_000_000) =>
  z
    .string()
    .regex(/^\d{1,10}$/, 'is not a whole number')
    .transform(Number)
    .pipe(z.number().min(min, `is less than ${min}`).max(max, `is more than ${max}`))
    .default(fallback);

export const positiveDecimal = z
  .string()
  .regex(/^\d{1,9}(\.\d{1,6})?$/, 'is not a positive decimal number')
  .transform(Number)
  .pipe(z.number().positive('is not a positive decimal number'));

export const flag = z
  .enum(['true', 'false'], 'is neither true nor false')
  .default('false')
  .transform((value) => value === 'true');

/** Where in a setting of JSON: `[0].baseUrl`. Names that are not ours are not told. */
const placeOf = (path: PropertyKey[], names: ReadonlySet<PropertyKey>): string =>
  path
    .map((step) => {
      if (typeof step === 'number') return `[${step}]`;
      return `.${names.has(step) ? String(step) : '…'}`;
    })
    .join('');

/** JSON of a shape; problems tell where they are, by the names of its fields. */
export function json<T extends z.ZodType>(shape: T, fieldNames: string[]) {
  const names = new Set<PropertyKey>(fieldNames);
  return z.string().transform((value, context): z.output<T> => {
    let given: unknown;
    try {
      given = JSON.parse(value);
    } catch {
      context.addIssue({ code: 'custom', message: 'is not JSON' });
      return z.NEVER;
    }
    const { data, error } = shape.safeParse(given);
    for (const { path, message } of error?.issues ?? [])
      context.addIssue({ code: 'custom', message: `${placeOf(path, names)} ${message}`.trim() });
    return error ? z.NEVER : data;
  });
}
