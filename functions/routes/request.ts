import * as z from 'zod';
import { limitBody } from '../http/middleware.ts';

/** Bounds a JSON body before it is parsed. */
export const jsonBody = limitBody(131_072);

/** `Idempotency-Key`: any visible ASCII, up to 255 characters. */
export const idempotencyHeader = z.object({
  'idempotency-key': z
    .string()
    .regex(/^[\x21-\x7e]{1,255}$/, 'is not 1–255 visible ASCII characters')
    .optional(),
});

/** Why a job with rows may not run. */
export const refusedStart = [
  'account_suspended',
  'insufficient_credits',
  'too_many_failed_rows',
  'fair_use',
] as const;
