import * as z from 'zod';

/** An RFC 9457 answer; what it tells besides depends on its `code`. */
export const problemSchema = z.object({
  type: z.string(),
  title: z.string(),
  status: z.number(),
  detail: z.string().optional(),
  code: z.string().describe('stable, snake_case'),
  requestId: z.string(),
  errors: z
    .array(z.object({ field: z.string().describe('such as `sender.name`'), message: z.string() }))
    .optional()
    .describe('of `invalid_request`: the fields that do not fit'),
  jobId: z.string().optional().describe('of a start that is refused: the job, whose rows are kept'),
  jobStatus: z
    .string()
    .optional()
    .describe(
      "of `job_running` and `job_not_open`: the job's status; `sample` while one is worked",
    ),
  required: z.number().optional().describe('of `insufficient_credits`: what would be held'),
  balance: z.number().optional().describe('of `insufficient_credits`: the credits there are'),
  limit: z.number().optional().describe('of a bound: how many may be'),
  used: z.number().optional().describe('of a bound: how many are'),
  limitBytes: z.number().optional().describe('of `too_large` and `storage_full`'),
  usedBytes: z.number().optional().describe('of `storage_full`'),
  limitRows: z.number().optional().describe('of `too_large`: the rows that a file may have'),
  line: z.number().optional().describe('of `csv_invalid`: in the file, from 1'),
  reason: z.string().optional().describe('of `csv_invalid`: what is wrong there'),
  candidates: z.array(z.string()).optional().describe('of `encoding_unknown`: a `charset` to send'),
});
