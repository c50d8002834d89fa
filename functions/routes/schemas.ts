import * as z from 'zod';
import { jobOptions } from '../processing/job-options.ts';
import { awayReasons } from '../providers/errors.pure.ts';

const time = z.string().describe('ISO 8601, UTC');

/** A page of a list; `nextCursor` null: it is the last. */
export const pageSchema = <Item extends z.ZodType>(item: Item) =>
  z.object({ items: z.array(item), nextCursor: z.string().nullable() });

export const subscriptionSchema = z.object({
  plan: z.string().nullable(),
  status: z.string().describe("Stripe's status"),
  interval: z.string().nullable(),
  currentPeriodStart: time.nullable(),
  currentPeriodEnd: time.nullable(),
  cancelAt: time.nullable(),
  trialEnd: time.nullable(),
});

export const subscriptionAnswerSchema = z.object({ subscription: subscriptionSchema });

export const meSchema = z.object({
  id: z.string(),
  externalId: z.string().nullable(),
  email: z.string().nullable(),
  credits: z.object({
    balance: z.number().describe('plan + bonus + purchased: spendable now'),
    plan: z.number(),
    bonus: z.number(),
    purchased: z.number(),
    held: z.number().describe('on hold for running jobs; not part of balance'),
    unlimited: z.boolean(),
    resetsAt: time.nullable().describe('when a renewal will expire lots; null: nothing renews'),
    resetsLots: z.array(z.string()).describe('which kinds of lots it will expire'),
  }),
  subscription: subscriptionSchema.nullable(),
  suspended: z
    .object({ since: time, reason: z.string() })
    .nullable()
    .describe('while it is, no job can be started'),
});

export const entriesSchema = pageSchema(
  z.object({
    id: z.string(),
    at: time,
    kind: z.string(),
    amount: z.number(),
    lots: z.object({ plan: z.number(), bonus: z.number(), purchased: z.number() }),
    balanceAfter: z.number(),
    source: z.object({ type: z.string(), id: z.string() }),
    jobId: z.string().nullable(),
  }),
);

const priced = {
  key: z.string(),
  name: z.string(),
  amount: z.number(),
  currency: z.string(),
  priceId: z.string(),
};

export const plansSchema = z.object({
  plans: z.array(
    z.object({
      ...priced,
      credits: z.union([z.number(), z.literal('unlimited')]),
      interval: z.string().nullable(),
      creditsInterval: z.string().nullable().describe('how often the credits come'),
    }),
  ),
  packs: z.array(z.object({ ...priced, credits: z.number() })),
});

export const checkoutSchema = z.object({ id: z.string(), url: z.string() });

export const checkoutStateSchema = z.object({
  status: z.string().nullable().describe('`open`, `complete` or `expired`'),
  paymentStatus: z.string().describe('`paid`, `unpaid` or `no_payment_required`'),
  granted: z.number().nullable().describe('Credits that came of it'),
});

export const invoicesSchema = pageSchema(
  z.object({
    id: z.string(),
    number: z.string().nullable(),
    status: z.string().nullable().describe("Stripe's status"),
    amountDue: z.number(),
    amountPaid: z.number(),
    currency: z.string(),
    createdAt: time,
    periodStart: time,
    periodEnd: time,
    hostedUrl: z.string().nullable(),
    pdfUrl: z.string().nullable(),
  }),
);

export const jobSchema = z.object({
  id: z.string(),
  status: z.enum([
    'created',
    'uploading',
    'awaiting_credits',
    'ready',
    'running',
    'paused',
    'completed',
    'cancelled',
    'failed',
  ]),
  filename: z.string(),
  rows: z.object({
    total: z.number(),
    done: z.number(),
    succeeded: z.number(),
    failed: z.number(),
    skipped: z
      .number()
      .describe('without content, or below the table: neither worked nor charged; part of `done`'),
  }),
  credits: z.object({
    held: z.number().describe('on hold now; 0 once the job has ended'),
    charged: z.number(),
    released: z.number(),
  }),
  progress: z.number().describe('0–1'),
  etaSeconds: z.number().nullable(),
  createdAt: time,
  startedAt: time.nullable(),
  finishedAt: time.nullable(),
  waiting: z
    .object({
      provider: z.string().describe('`search`, or the name of a model'),
      reason: z.enum(awayReasons),
      until: time.nullable().describe('when it said to come back'),
    })
    .nullable()
    .describe(
      'what its rows wait for while it is `running`; null: nothing. Waiting is not charged',
    ),
  usage: z
    .object({
      tokensIn: z.number(),
      tokensOut: z.number(),
      searches: z.number(),
      cachedSearches: z.number().describe('answered by what another row had searched for'),
      messages: z.number().describe('deliveries of the queue that were worked'),
    })
    .describe('what its rows took so far, over all runs; all 0 at first'),
  error: z
    .string()
    .nullable()
    .describe('why none of its rows succeeded; only of a job that `failed`'),
  warnings: z.array(z.string()).describe('what was noticed in its file; sentences to be shown'),
});

/** What was told to a job's `notifyUrl`, and what came of it. */
export const notificationSchema = z.object({
  id: z.string().describe('the `webhook-id` of every try'),
  url: z.string(),
  status: z.enum(['pending', 'delivered', 'failed']),
  attempts: z.number(),
  statusCode: z.number().nullable().describe('what the receiver answered last'),
  error: z.string().nullable().describe('why the last try failed; a sentence to be shown'),
  createdAt: time,
  attemptedAt: time.nullable(),
});

/** The same with what was asked, as answers about one job show it. */
export const wholeJobSchema = jobSchema.extend({
  processor: z.string(),
  prompt: z.string(),
  columns: z.array(z.string()).nullable().describe('those that the model sees; null: all'),
  research: jobOptions.shape.research.unwrap().nullable().describe('null: found by the header'),
  outputs: jobOptions.shape.outputs.unwrap().nullable(),
  language: z.string().nullable(),
  sender: jobOptions.shape.sender.unwrap().nullable().describe("overrides the profile's fields"),
  start: z.enum(['auto', 'manual']),
  duplicates: z.enum(['work', 'skip']),
  notifyUrl: z.string().nullable(),
  header: z.array(z.string()).nullable().describe("the file's; null before the upload"),
  notification: notificationSchema
    .nullable()
    .describe('what was told of its last end, and what came of it'),
});

export const jobCreatedSchema = z.object({
  job: wholeJobSchema,
  upload: z.object({ method: z.literal('PUT'), url: z.string() }),
});

export const jobsSchema = pageSchema(jobSchema);

export const notificationsSchema = pageSchema(notificationSchema);

export const notifySecretSchema = z.object({ secret: z.string().describe('`whsec_…`') });

export const senderAnswerSchema = z.object({
  name: z.string().nullable(),
  role: z.string().nullable(),
  company: z.string().nullable(),
  website: z.string().nullable(),
  offer: z.string().nullable().describe('what is offered'),
  tone: z.string().nullable(),
  language: z.string().nullable().describe('`auto`, or a tag such as `de`'),
  signature: z.string().nullable(),
});

export const receivedSchema = z.object({
  received: z.literal(true),
  eventId: z.string(),
  status: z.enum(['completed', 'skipped', 'duplicate', 'pending', 'failed']),
});

export const jobParam = z.object({ id: z.uuid() });

/** `?limit=` of every list. */
export const limitQuery = z.coerce.number().int().min(1).max(100).default(50);
