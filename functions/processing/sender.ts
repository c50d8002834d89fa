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

/** Lines that Postgres can store, whatever they end in. */
const lines = (longest: number) =>
  z
    .string()
    .overwrite((text) => text.replace(/\r\n?/g, '\n'))
    .trim()
    .max(longest, `is too long: ${longest} characters at most`)
    // oxlint-disable-next-line no-control-regex -- all but tab and line ends
    .regex(/^[^\u0000-\u0008\u000b-\u001f\u007f]*$/, 'has control characters')
    .refine(isWhole, 'has half a character');

/** The letter case that tags are written in: `zh-Hant-TW`. Source: RFC 5646, 2.1.1 */
const tagCase = (tag: string): string =>
  tag
    .toLowerCase()
    .replaceAll(/-(?:[a-z]{2}$|[a-z](?=[a-z]{3}(?:-|$)))/g, (part) => part.toUpperCase());

/** `auto`: the lead's own; else a tag such as `de` or `pt-BR`. Source: RFC 5646, 2.1 (language, script, region) */
export const languageSchema = z
  .string()
  .overwrite(tagCase)
  .regex(
    /^(?:auto|[a-z]{2,3}(?:-[A-Z][a-z]{3})?(?:-(?:[A-Z]{2}|\d{3}))?)$/,
    'is neither `auto` nor a language tag such as `de` or `pt-BR`',
  );

/** A domain, or an address under it without a user: it goes into e-mails as a link. */
const site =
  /^(?:(?:https?:\/\/)?(?:[\p{L}\p{N}][\p{L}\p{M}\p{N}-]*\.)+\p{L}[\p{L}\p{M}\p{N}-]+(?::\d{1,5})?(?:[/?#]\S*)?)?$/iu;
const website = line(300).regex(
  site,
  'is neither a domain such as `example.com` nor an http(s) address',
);

/** Who writes the e-mails, and what for; every field may be left out. */
export const senderSchema = z.strictObject({
  name: line(200).optional().describe('who writes'),
  role: line(200).optional().describe('such as `Head of Sales`'),
  company: line(200).optional().describe('for whom they write'),
  website: website.optional().describe('may be named in e-mails'),
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

const { shape } = senderSchema;

/** The same for one job: a field that is null is as if it had not been said. */
export const jobSenderSchema = z.strictObject({
  name: shape.name.nullable(),
  role: shape.role.nullable(),
  company: shape.company.nullable(),
  website: shape.website.nullable(),
  offer: shape.offer.nullable(),
  tone: shape.tone.nullable(),
  language: shape.language.nullable(),
  signature: shape.signature.nullable(),
});
export type JobSender = z.infer<typeof jobSenderSchema>;
