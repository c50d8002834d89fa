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

/** JSON of a shape. */
export const json = <T extends z.ZodType>(shape: T) =>
  z
    .string()
    .transform((value, context): unknown => {
      try {
        return JSON.parse(value);
      } catch {
        context.addIssue({ code: 'custom', message: 'is not JSON' });
        return z.NEVER;
      }
    })
    .pipe(shape);
