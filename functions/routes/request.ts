import { bodyLimit } from 'hono/body-limit';
import * as z from 'zod';
import { DomainError } from '../errors.ts';

const jsonBytes = 131_072;

/** Bounds a JSON body before it is parsed. */
export const jsonBody = bodyLimit({
  maxSize: jsonBytes,
  onError: () => {
    throw new DomainError('too_large', `The body is larger than ${jsonBytes} bytes.`, {
      extra: { limitBytes: jsonBytes },
    });
  },
});

/** `Idempotency-Key`: any visible ASCII, up to 255 characters. */
export const idempotencyHeader = z.object({
  'idempotency-key': z
    .string()
    .regex(/^[\x21-\x7e]{1,255}$/, 'is not 1–255 visible ASCII characters')
    .optional(),
});
