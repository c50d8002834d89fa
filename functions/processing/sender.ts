import * as z from 'zod';

const isWhole = (text: string): boolean => text.isWellFormed();

/** One line that Postgres can store and a mail can show. */
const line = (longest: number) =>
  z
    .string()
    .trim()
    .max(longest, `is too long: ${longest} characters at most`)
    .regex(/^[^\p{Cc}]*$/u, 'has control characters')
    .refine(isWhole, 'has half a character');

/** Lines that Postgres can store. */
const lines = (longest: number) =>
  z
    .string()
    .trim()
    .max(longest, `is too long: ${longest} characters at most`)
    // oxlint-disable-next-line no-control-regex -- all but tab and line ends
    .regex(/^[^\u0000-\u0008\u000b-\u001f\u007f]*$/, 'has control characters')
    .refine(isWhole, 'has half a character');

/** `auto`: the lead's own; else a tag such as `de` or `pt-BR`. Source: RFC 5646, 2.1 (language, script, region) */
export const languageSchema = z
  .string()
  .regex(
    /^(?:auto|[a-z]{2,3}(?:-[A-Z][a-z]{3})?(?:-(?:[A-Z]{2}|\d{3}))?)$/,
    'is neither `auto` nor a language tag such as `de` or `pt-BR`',
  );

/** Who writes the e-mails, and what for; every field may be left out. */
export const senderSchema = z.strictObject({
  name: line(200).optional().describe('who writes'),
  role: line(200).optional().describe('such as `Head of Sales`'),
  company: line(200).optional().describe('for whom they write'),
  website: line(300).optional().describe('may be named in e-mails'),
  /** What is offered, in the sender's own words. */
  offer: lines(2000).optional().describe('what is offered, in your own words'),
  /** How it is to sound, such as `friendly, brief`. */
  tone: line(200).optional().describe('such as `friendly, brief`'),
  language: languageSchema
    .optional()
    .describe("`auto` (default: the lead's own) or a tag such as `de`"),
  /** Stands below every e-mail as it is. */
  signature: lines(1000).optional().describe('stands below every e-mail as it is'),
});
export type Sender = z.infer<typeof senderSchema>;
