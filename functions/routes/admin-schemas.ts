import * as z from 'zod';
import { entriesSchema, pageSchema } from './schemas.ts';

export const time = z.string().describe('ISO 8601, UTC');
const rate = z.number().nullable();

export const eventStatus = z
  .enum(['pending', 'completed', 'skipped', 'failed', 'dismissed'])
  .describe('`pending`: being tried again at this moment');

export const eventSchema = z.object({
  eventId: z.string(),
  type: z.string(),
  status: eventStatus,
  attempts: z.number(),
  errorCode: z.string().nullable(),
  error: z.string().nullable(),
  userId: z.string().nullable(),
  objectId: z.string().nullable().describe('what it is about'),
  stripeCreatedAt: time,
  receivedAt: time,
  processedAt: time.nullable(),
  nextAttemptAt: time.nullable().describe('null of a failed one: no more by the clock'),
  waitingFor: z
    .array(z.string())
    .describe('whatever of this comes makes the event due: ids, prices, e-mail, `stripe`'),
  dismissedReason: z.string().nullable(),
});

export const eventsSchema = pageSchema(eventSchema);

export const eventDetailSchema = eventSchema.extend({
  apiVersion: z.string().nullable(),
  payload: z
    .unknown()
    .describe("Stripe's event as it came, as one text if nested too deep; null: removed"),
  payloadRemoved: z.boolean(),
});

export const retriedSchema = eventSchema.extend({
  status: z
    .enum([...eventStatus.options, 'duplicate'])
    .describe(
      '`duplicate`: at its end before, nothing changed; `pending`: another run is trying it',
    ),
});

export const retriedAllSchema = z.object({
  tried: z.number().describe('completed + failed'),
  completed: z
    .number()
    .describe('done now: applied, skipped, or applied by somebody else meanwhile'),
  failed: z.number(),
  remaining: z.number().describe('still open after this call'),
});

export const statsSchema = z.object({
  hours: z.number(),
  total: z.number(),
  byStatus: z.record(eventStatus, z.number()),
  types: z.array(
    z.object({
      type: z.string(),
      count: z.number(),
      completed: z.number(),
      skipped: z.number(),
      failed: z.number(),
      pending: z.number(),
      dismissed: z.number(),
      successRate: rate.describe('(completed + skipped) / (count − pending), 0–1'),
      p50Ms: rate.describe('from receipt to the end of processing'),
      p95Ms: rate,
    }),
  ),
  oldestUnprocessed: z
    .object({ eventId: z.string(), type: z.string(), receivedAt: time, ageSeconds: z.number() })
    .nullable()
    .describe('whatever its age'),
});

export const entrySchema = entriesSchema.shape.items.element;

export const adjustedSchema = z.object({
  entry: entrySchema,
  balance: z.number().describe('after this entry'),
});
