import * as z from 'zod';
import { limitBody } from '../http/middleware.ts';
import { storable } from '../processing/job-options.ts';

/** Bounds a JSON body before it is parsed. */
export const jsonBody = limitBody(131_072);

/** What is said of a JSON body that is not taken. */
export const refusedBody = ['invalid_json', 'invalid_request', 'too_large'] as const;

/** The same or null, with the same description. */
export const orNull = <Schema extends z.ZodType>(schema: Schema) =>
  schema.nullable().describe(schema.description ?? '');

/** What a job is asked besides its options. */
export const asked = {
  processor: z
    .string()
    .max(50)
    .describe(
      '`research_email` (default): a summary with its sources, subject and mail; `columns`: answers to `outputs`; `classify`: the category and the reason',
    ),
  prompt: storable(8000)
    .trim()
    .min(1)
    .describe(
      "the task; `{{column}}` stands for that cell of the row. Default: the processor's; for `classify` it names the categories",
    ),
  columns: z
    .array(storable(1000))
    .min(1)
    .max(1000)
    .describe('those that the model sees, by their names in the header. Default: all'),
};

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
