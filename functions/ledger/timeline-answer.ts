import * as z from 'zod';
import type { Timeline } from './timeline.pure.ts';
import type { Fact } from './facts.pure.ts';

/** Facts are ours, and many: that they are facts is known from who wrote them. */
const facts = z.custom<Fact[]>(Array.isArray, 'not a list of facts');

/** Reads what `rowloom.ledger_read` gives. */
export const timelineAnswer = z.strictObject({
  userId: z.string(),
  version: z.int(),
  newestPosition: z.string().nullable(),
  balance: z.int(),
  held: z.int(),
  sum: z.int(),
  isStale: z.boolean(),
  foldVersion: z.int(),
  nextDueUs: z.int().nullable(),
  signedUpAt: z.string().nullable(),
  suspendedReason: z.string().nullable(),
  monthsPosted: z.array(z.string()),
  facts,
  lots: z.array(
    z.strictObject({
      key: z.string(),
      kind: z.enum(['plan', 'bonus', 'purchased']),
      payment: z.string().nullable(),
      opened: z.string(),
      remaining: z.int(),
      granted: z.int(),
      isExpired: z.boolean(),
      isEncumbered: z.boolean(),
    }),
  ),
  holds: z.array(
    z.strictObject({
      key: z.string(),
      takes: z.array(z.tuple([z.string(), z.int()])),
      uncovered: z.int(),
      isUsage: z.boolean(),
    }),
  ),
}) satisfies z.ZodType<Timeline>;
