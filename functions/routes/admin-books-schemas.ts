import * as z from 'zod';
import { differenceKinds } from '../ledger/audit.pure.ts';
import { entrySchema, eventSchema, time } from './admin-schemas.ts';

const counts = z.object({ plan: z.number(), bonus: z.number(), purchased: z.number() });
const says = z.string().describe('one sentence');
const lotKind = z.enum(['plan', 'bonus', 'purchased']);
const foldVersion = z
  .object({ stored: z.number(), present: z.number() })
  .describe('of the fold that wrote the books last (0: none did), and of this version');

export const suspensionSchema = z.object({
  suspended: z.object({ since: time, reason: z.string() }).nullable(),
});

export const explainedSchema = z.object({
  userId: z.string(),
  externalId: z.string().nullable(),
  balance: z.number(),
  sum: z.number().describe('of the amounts of all entries, not of this page'),
  agrees: z.boolean().describe('sum = balance = what the facts come to, and so every lot'),
  held: z.number(),
  credits: counts,
  unlimited: z.boolean(),
  plan: z.string().nullable().describe('entitled to now'),
  shortfall: z.number().describe('taken back or used, and not there'),
  suspended: suspensionSchema.shape.suspended,
  lots: z.array(
    z.object({
      key: z.string(),
      kind: lotKind,
      subscription: z.string().nullable(),
      payment: z.string().nullable().describe('the key of what paid for it'),
      granted: z.number(),
      remaining: z.number(),
      isExpired: z.boolean(),
      lapsed: z.number().describe('what expired of it'),
      cut: z.number().describe('what a smaller plan took from it'),
    }),
  ),
  payments: z.array(
    z.object({
      key: z.string(),
      total: z.number().describe('minor units'),
      taken: z.number().describe('minor units that went back'),
      bought: z.number().describe("credits, a yearly plan's coming months included"),
      claimed: z.number().describe('credits taken back for it'),
      shortfall: z.number().describe('claimed, but spent before'),
      reversals: z.array(
        z.object({ id: z.string(), source: z.string(), amount: z.number(), taken: z.boolean() }),
      ),
    }),
  ),
  timeline: z
    .array(
      z.object({
        at: time,
        key: z.string(),
        kind: z.string(),
        says,
        moves: z.array(z.object({ lot: z.string(), credits: z.number() })),
        balance: z.number().describe('after this step'),
        objectIds: z.array(z.string()).describe("in Stripe's dashboard"),
      }),
    )
    .describe('what happened, newest first, as it counts now'),
  entries: z
    .array(
      entrySchema.extend({
        idempotencyKey: z.string(),
        factKey: z.string().nullable(),
        movements: z.record(z.string(), z.number()).describe('by lot'),
        details: z.record(z.string(), z.unknown()),
        objectIds: z.array(z.string()),
        says,
      }),
    )
    .describe('what was posted, newest first, as it was learned'),
  pendingEvents: z
    .array(eventSchema.omit({ userId: true, receivedAt: true, processedAt: true }))
    .describe("the user's events that are not applied and so not in the balance"),
  pendingEventsComplete: z.boolean(),
  nextCursor: z.string().nullable(),
});

const kinds = z
  .array(z.enum(differenceKinds))
  .describe(
    'lots, holds, totals, subscriptions, suspension, due: stored otherwise than folded; entries, movements: do not add up; fact: learned with other numbers as well; fold: cannot be folded; older_fold: as an older version folded it',
  );

export const auditedSchema = z.object({
  checked: z.number(),
  differences: z.array(
    z.object({
      userId: z.string(),
      foldVersion,
      kinds,
      details: z.array(
        z.object({
          kind: z.string(),
          key: z.string(),
          stored: z.unknown(),
          folded: z.unknown(),
        }),
      ),
    }),
  ),
  nextCursor: z.string().nullable(),
});

export const refoldedSchema = z.object({
  userId: z.string(),
  posted: z.boolean(),
  foldVersion,
  differs: kinds,
  balance: z.object({ before: z.number(), after: z.number() }),
  lots: z.array(
    z.object({ key: z.string(), kind: lotKind, before: z.number(), after: z.number() }),
  ),
  entries: z.array(
    z.object({
      kind: z.string(),
      factKey: z.string().nullable(),
      amount: z.number(),
      lots: counts,
    }),
  ),
});
