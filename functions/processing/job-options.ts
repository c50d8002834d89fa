import * as z from 'zod';
import { jobSenderSchema, languageSchema } from './sender.ts';

const isWhole = (text: string): boolean => text.isWellFormed();

/** Text that Postgres can store. */
export const storable = (longest: number) =>
  z
    .string()
    .max(longest)
    .regex(/^[^\0]*$/, 'has a NUL character')
    .refine(isWhole, 'has half a character');

const label = (longest: number) =>
  storable(longest)
    .trim()
    .min(1)
    .regex(/^[^\p{Cc}]*$/u, 'has control characters');

/** One column that the processor `columns` fills. */
const output = z.strictObject({
  name: label(100).describe('the column, as the result has it'),
  /** What is asked for, in words. */
  description: storable(1000).trim().min(1).describe('what is asked for, in words'),
  type: z.enum(['text', 'number', 'boolean', 'choice']).describe('what an answer is'),
  /** What a `choice` chooses from. */
  choices: z.array(label(100)).min(2).max(50).optional().describe('what a `choice` chooses from'),
});
export type OutputField = z.infer<typeof output>;

/** How a row's company is found: by a template of the user's, or not at all. Default: by the header. */
const research = z.union(
  [
    z.strictObject({ query: storable(500).trim().min(1).describe('such as `{{Firma}} {{Ort}}`') }),
    z.literal(false),
  ],
  'must be false or {query}',
);
export type ResearchOption = z.infer<typeof research>;

export const startMode = z.enum(['auto', 'manual']);

/** What a job may be asked besides its prompt, its columns and its processor; all of it may be left out. */
export const jobOptions = z.strictObject({
  research: research
    .optional()
    .describe(
      'what is searched for: a template, or false: nothing. Default: the company, found by the header',
    ),
  outputs: z
    .array(output)
    .min(1)
    .max(20)
    .optional()
    .describe('of `columns` alone: what is answered, a column each'),
  language: languageSchema
    .optional()
    .describe("of e-mails and answers: `auto` (default: the lead's own) or a tag such as `de`"),
  /** Overrides the profile's fields one by one. */
  sender: jobSenderSchema
    .optional()
    .describe("overrides the profile's fields one by one; an empty text takes one away"),
  start: startMode
    .optional()
    .describe('`manual`: waits as `ready` to be looked at and started. Default: `auto`'),
  duplicates: z
    .enum(['work', 'skip'])
    .optional()
    .describe(
      '`skip`: rows that are the same as one above them are neither worked nor charged. Default: `work`',
    ),
  /** Told of the job's end; `notifyUrlProblem` says which may be. */
  notifyUrl: z
    .string()
    .max(2000, 'is too long: 2000 characters at most')
    .optional()
    .describe('https, a public host: gets one signed POST when the job ends'),
});
export type JobOptions = z.infer<typeof jobOptions>;
