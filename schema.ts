import { sql } from 'drizzle-orm';
import {
  bigint,
  boolean,
  check,
  foreignKey,
  index,
  integer,
  json,
  jsonb,
  pgTable,
  primaryKey,
  text,
  timestamp,
  unique,
  uniqueIndex,
  uuid,
} from 'drizzle-orm/pg-core';

const instant = (name: string) => timestamp(name, { withTimezone: true });

/**
 * One person. The credit columns are the running totals of the ledger; only `rowloom.ledger_post`
 * writes them, with the row locked.
 */
export const users = pgTable(
  'users',
  {
    id: uuid('id').primaryKey().defaultRandom(),
    /** The `sub` of the user's token; null until a person who was made from elsewhere signs up. */
    externalId: text('external_id'),
    email: text('email'),
    emailVerified: boolean('email_verified').notNull().default(false),
    stripeCustomerId: text('stripe_customer_id'),
    /** Key of the plan the user is on; `free` without one. */
    tier: text('tier').notNull().default('free'),
    unlimited: boolean('unlimited').notNull().default(false),
    creditsBalance: integer('credits_balance').notNull().default(0),
    creditsPlan: integer('credits_plan').notNull().default(0),
    creditsBonus: integer('credits_bonus').notNull().default(0),
    creditsPurchased: integer('credits_purchased').notNull().default(0),
    creditsHeld: integer('credits_held').notNull().default(0),
    /** Stripe's time of the newest SET: one that is older comes late and resets nothing. */
    planSetAt: instant('plan_set_at'),
    /** The same for SETs that took purchased credits with them: a pack from before it lapses. */
    purchasedResetAt: instant('purchased_reset_at'),
    createdAt: instant('created_at').notNull().defaultNow(),
  },
  (t) => [
    unique('users_external_id_key').on(t.externalId),
    unique('users_stripe_customer_id_key').on(t.stripeCustomerId),
    index('users_email_lower_idx').on(sql`lower(${t.email})`),
    check('users_balance_not_negative', sql`${t.creditsBalance} >= 0`),
    check(
      'users_lots_not_negative',
      sql`least(${t.creditsPlan}, ${t.creditsBonus}, ${t.creditsPurchased}, ${t.creditsHeld}) >= 0`,
    ),
    check(
      'users_balance_is_sum_of_lots',
      sql`${t.creditsBalance} = ${t.creditsPlan} + ${t.creditsBonus} + ${t.creditsPurchased}`,
    ),
  ],
);

/** The ledger: append-only (a trigger refuses UPDATE and DELETE), `sum(amount) = credits_balance`. */
export const creditEntries = pgTable(
  'credit_entries',
  {
    id: bigint('id', { mode: 'number' }).primaryKey().generatedAlwaysAsIdentity(),
    userId: uuid('user_id').notNull(),
    at: instant('at').notNull(),
    kind: text('kind').notNull(),
    amount: integer('amount').notNull(),
    plan: integer('plan').notNull(),
    bonus: integer('bonus').notNull(),
    purchased: integer('purchased').notNull(),
    balanceAfter: integer('balance_after').notNull(),
    /** What happened, once: a second arrival under any event id meets this key. */
    businessKey: text('business_key').notNull(),
    sourceType: text('source_type').notNull(),
    sourceId: text('source_id').notNull(),
    jobId: uuid('job_id'),
    /** `{shortfall?, lapsed?, reason?, …}`: what an auditor asks next. */
    details: jsonb('details').notNull().default({}),
  },
  (t) => [
    foreignKey({ name: 'credit_entries_user_fk', columns: [t.userId], foreignColumns: [users.id] }),
    unique('credit_entries_business_key_key').on(t.businessKey),
    index('credit_entries_user_idx').on(t.userId, t.id),
    check('credit_entries_balance_not_negative', sql`${t.balanceAfter} >= 0`),
    check(
      'credit_entries_amount_is_sum_of_lots',
      sql`${t.amount} = ${t.plan} + ${t.bonus} + ${t.purchased}`,
    ),
    check(
      'credit_entries_kind_known',
      sql`${t.kind} in ('signup','plan_grant','plan_renewal','plan_change','pack','hold','release','usage','take_back','give_back','admin')`,
    ),
  ],
);

/** Credits that came together: where they came from, how many are left. */
export const creditLots = pgTable(
  'credit_lots',
  {
    id: bigint('id', { mode: 'number' }).primaryKey().generatedAlwaysAsIdentity(),
    userId: uuid('user_id').notNull(),
    kind: text('kind').notNull(),
    granted: integer('granted').notNull(),
    remaining: integer('remaining').notNull(),
    sourceType: text('source_type').notNull(),
    sourceId: text('source_id').notNull(),
    createdAt: instant('created_at').notNull(),
    /** When it was paid for, by Stripe's clock; a SET empties what is not younger than itself. */
    effectiveAt: instant('effective_at')
      .notNull()
      .default(sql`'-infinity'`),
    /** Set when a SET took a bonus or purchased lot with it, whether or not anything was left in it. */
    resetAt: instant('reset_at'),
    /** Set when a RESET closed a plan lot: credits that come back to it afterwards lapse. */
    lapsedAt: instant('lapsed_at'),
  },
  (t) => [
    foreignKey({ name: 'credit_lots_user_fk', columns: [t.userId], foreignColumns: [users.id] }),
    index('credit_lots_user_idx').on(t.userId, t.id),
    check('credit_lots_kind_known', sql`${t.kind} in ('plan','bonus','purchased')`),
    check(
      'credit_lots_remaining_in_range',
      sql`${t.remaining} >= 0 and ${t.remaining} <= ${t.granted}`,
    ),
  ],
);

/** How an entry moved each lot: `sum(amount)` over a lot is what remains, over an entry its amount. */
export const creditMovements = pgTable(
  'credit_movements',
  {
    entryId: bigint('entry_id', { mode: 'number' }).notNull(),
    lotId: bigint('lot_id', { mode: 'number' }).notNull(),
    amount: integer('amount').notNull(),
    /** Credits that came, or came back, to a lot that was closed already, and so are gone. */
    lapsed: integer('lapsed').notNull().default(0),
  },
  (t) => [
    primaryKey({ name: 'credit_movements_pkey', columns: [t.entryId, t.lotId] }),
    foreignKey({
      name: 'credit_movements_entry_fk',
      columns: [t.entryId],
      foreignColumns: [creditEntries.id],
    }),
    foreignKey({
      name: 'credit_movements_lot_fk',
      columns: [t.lotId],
      foreignColumns: [creditLots.id],
    }),
    check('credit_movements_lapsed_not_negative', sql`${t.lapsed} >= 0`),
  ],
);

/** The inbox of Stripe events; an event's row and its effects commit together. */
export const stripeEvents = pgTable(
  'stripe_events',
  {
    eventId: text('event_id').primaryKey(),
    type: text('type').notNull(),
    status: text('status').notNull(),
    attempts: integer('attempts').notNull().default(0),
    errorCode: text('error_code'),
    error: text('error'),
    payload: jsonb('payload').notNull(),
    apiVersion: text('api_version'),
    userId: uuid('user_id'),
    stripeCreatedAt: instant('stripe_created_at').notNull(),
    receivedAt: instant('received_at').notNull().defaultNow(),
    processedAt: instant('processed_at'),
    nextAttemptAt: instant('next_attempt_at'),
    /** Ids and lower-case e-mail of the user who is not there yet: their arrival makes the event due. */
    waitingFor: text('waiting_for').array(),
  },
  (t) => [
    foreignKey({ name: 'stripe_events_user_fk', columns: [t.userId], foreignColumns: [users.id] }),
    index('stripe_events_due_idx')
      .on(t.nextAttemptAt)
      .where(sql`${t.nextAttemptAt} is not null`),
    // Read at every grant, written by failures alone: without a pending list that reads would scan.
    index('stripe_events_waiting_idx')
      .using('gin', t.waitingFor)
      .with({ fastupdate: false })
      .where(sql`${t.waitingFor} is not null`),
    index('stripe_events_received_idx').on(t.receivedAt, t.eventId),
    check(
      'stripe_events_status_known',
      sql`${t.status} in ('pending','completed','skipped','failed')`,
    ),
    check(
      'stripe_events_failed_has_error',
      sql`${t.status} <> 'failed' or ${t.errorCode} is not null`,
    ),
  ],
);

export const subscriptions = pgTable(
  'subscriptions',
  {
    stripeSubscriptionId: text('stripe_subscription_id').primaryKey(),
    userId: uuid('user_id').notNull(),
    stripeCustomerId: text('stripe_customer_id'),
    status: text('status').notNull(),
    plan: text('plan'),
    priceId: text('price_id'),
    quantity: integer('quantity').notNull().default(1),
    interval: text('interval'),
    currentPeriodStart: instant('current_period_start'),
    currentPeriodEnd: instant('current_period_end'),
    cancelAt: instant('cancel_at'),
    trialEnd: instant('trial_end'),
    endedAt: instant('ended_at'),
    /** End of the newest period that credits were granted for: an older invoice never resets it. */
    grantedPeriodEnd: instant('granted_period_end'),
    /** Annual plans that grant monthly: when the next month is due. */
    nextGrantAt: instant('next_grant_at'),
    /** Stripe's time and rank of the last event applied, so that arrival order does not matter. */
    stripeEventAt: instant('stripe_event_at'),
    stripeEventRank: integer('stripe_event_rank').notNull().default(0),
  },
  (t) => [
    foreignKey({ name: 'subscriptions_user_fk', columns: [t.userId], foreignColumns: [users.id] }),
    index('subscriptions_user_idx').on(t.userId),
    index('subscriptions_next_grant_idx')
      .on(t.nextGrantAt)
      .where(sql`${t.nextGrantAt} is not null`),
  ],
);

/** What a payment bought: how much of it a refund or a dispute can claim back. */
export const stripeGrants = pgTable(
  'stripe_grants',
  {
    /** Of the ledger entry that granted it. */
    businessKey: text('business_key').primaryKey(),
    userId: uuid('user_id').notNull(),
    credits: integer('credits').notNull(),
    amountCents: integer('amount_cents').notNull(),
    lotKind: text('lot_kind').notNull(),
    /** Credits that active reversals claim, and how many of those were not there to take. */
    claimed: integer('claimed').notNull().default(0),
    shortfall: integer('shortfall').notNull().default(0),
  },
  (t) => [
    foreignKey({ name: 'stripe_grants_user_fk', columns: [t.userId], foreignColumns: [users.id] }),
    check(
      'stripe_grants_claimed_in_range',
      sql`${t.shortfall} >= 0 and ${t.shortfall} <= ${t.claimed} and ${t.claimed} <= ${t.credits}`,
    ),
  ],
);

/** Every Stripe id by which money can be traced to its grant: session, invoice, payment intent, charge. */
export const stripePaymentRefs = pgTable(
  'stripe_payment_refs',
  {
    ref: text('ref').primaryKey(),
    businessKey: text('business_key').notNull(),
  },
  (t) => [
    foreignKey({
      name: 'stripe_payment_refs_grant_fk',
      columns: [t.businessKey],
      foreignColumns: [stripeGrants.businessKey],
    }),
  ],
);

/** Refunds and disputes, and what each has done in the ledger. */
export const stripeReversals = pgTable(
  'stripe_reversals',
  {
    reversalId: text('reversal_id').primaryKey(),
    kind: text('kind').notNull(),
    businessKey: text('business_key').notNull(),
    amountCents: integer('amount_cents').notNull(),
    /** Whether the money is gone as of now. */
    active: boolean('active').notNull(),
    /** How final the status is: one that is less so never replaces it, whenever it arrives. */
    finality: integer('finality').notNull(),
    /** Business keys of its ledger entries. */
    entries: text('entries').array().notNull().default([]),
  },
  (t) => [
    foreignKey({
      name: 'stripe_reversals_grant_fk',
      columns: [t.businessKey],
      foreignColumns: [stripeGrants.businessKey],
    }),
    index('stripe_reversals_grant_idx').on(t.businessKey),
    check('stripe_reversals_kind_known', sql`${t.kind} in ('refund','refund_total','dispute')`),
    check('stripe_reversals_amount_not_negative', sql`${t.amountCents} >= 0`),
  ],
);

/** The catalogue: what each Stripe price means in credits. */
export const stripePrices = pgTable(
  'stripe_prices',
  {
    priceId: text('price_id').primaryKey(),
    productId: text('product_id').notNull(),
    kind: text('kind').notNull(),
    key: text('key').notNull(),
    name: text('name').notNull(),
    /** Null: unlimited. */
    credits: integer('credits'),
    trialCredits: integer('trial_credits').notNull().default(0),
    interval: text('interval'),
    /** A yearly price that grants its credits anew every month. */
    grantsMonthly: boolean('grants_monthly').notNull().default(false),
    amountCents: integer('amount_cents').notNull(),
    currency: text('currency').notNull(),
    /** Stripe's time of the last event applied. */
    stripeEventAt: instant('stripe_event_at'),
    /** When the price was made in Stripe: of those of one key that are active, the newest is on sale. */
    stripeCreatedAt: instant('stripe_created_at'),
    active: boolean('active').notNull().default(true),
    position: integer('position').notNull().default(0),
  },
  (t) => [
    /** One price on sale per key; older prices stay readable for the subscriptions that hold them. */
    uniqueIndex('stripe_prices_on_sale_key')
      .on(t.kind, t.key)
      .where(sql`${t.active}`),
    check('stripe_prices_kind_known', sql`${t.kind} in ('plan','pack')`),
    check('stripe_prices_pack_is_counted', sql`${t.kind} = 'plan' or ${t.credits} is not null`),
    check('stripe_prices_credits_not_negative', sql`${t.credits} >= 0 and ${t.trialCredits} >= 0`),
  ],
);

/** One CSV on its way: created → uploading → (awaiting_credits) → running → an end. */
export const jobs = pgTable(
  'jobs',
  {
    id: uuid('id').primaryKey().defaultRandom(),
    userId: uuid('user_id').notNull(),
    filename: text('filename').notNull(),
    processor: text('processor').notNull(),
    prompt: text('prompt').notNull(),
    /** Columns that the caller says the file has; the upload is held to them. */
    columns: jsonb('columns').$type<string[] | null>(),
    /** The file's header as it came. */
    header: jsonb('header').$type<string[] | null>(),
    status: text('status').notNull().default('created'),
    /** The upload that may write chunks; a newer one takes its place. */
    uploadId: uuid('upload_id'),
    attempt: integer('attempt').notNull().default(0),
    creditsPerRow: integer('credits_per_row').notNull().default(1),
    /** False on an unlimited plan: the job runs without a hold. */
    metered: boolean('metered').notNull().default(true),
    rowsTotal: integer('rows_total').notNull().default(0),
    /** Rows that had succeeded before this attempt: a retry works the others. */
    rowsKept: integer('rows_kept').notNull().default(0),
    rowsDone: integer('rows_done').notNull().default(0),
    rowsSucceeded: integer('rows_succeeded').notNull().default(0),
    rowsFailed: integer('rows_failed').notNull().default(0),
    chunksTotal: integer('chunks_total').notNull().default(0),
    /** Chunks handed to QStash so far: where a dispatcher that died goes on. */
    chunksDispatched: integer('chunks_dispatched').notNull().default(0),
    creditsHeld: integer('credits_held').notNull().default(0),
    creditsCharged: integer('credits_charged').notNull().default(0),
    creditsReleased: integer('credits_released').notNull().default(0),
    error: text('error'),
    idempotencyKey: text('idempotency_key'),
    /** SHA-256 of the create request: the same key with another body is an error. */
    requestHash: text('request_hash'),
    createdAt: instant('created_at').notNull().defaultNow(),
    /** Start of the present attempt. */
    startedAt: instant('started_at'),
    finishedAt: instant('finished_at'),
    /** Last sign of life: of an upload, then while running; the watchdog and the retention look at it. */
    progressAt: instant('progress_at'),
    /** Last time that chunks were handed to QStash. */
    dispatchedAt: instant('dispatched_at'),
    /** Since when a cancel waits for invocations at work to commit what is finished; nobody begins anew. */
    cancelAt: instant('cancel_at'),
    /** Times that the watchdog came in this attempt: each makes it wait longer. */
    revivals: integer('revivals').notNull().default(0),
    /** When rows and results were removed, by retention or with the job. */
    purgedAt: instant('purged_at'),
    /** Deleted by its user: nobody sees it again; it stays for the ledger's sake, without content. */
    deletedAt: instant('deleted_at'),
  },
  (t) => [
    foreignKey({ name: 'jobs_user_fk', columns: [t.userId], foreignColumns: [users.id] }),
    unique('jobs_idempotency_key').on(t.userId, t.idempotencyKey),
    index('jobs_user_created_idx').on(t.userId, t.createdAt, t.id),
    index('jobs_running_idx')
      .on(t.progressAt)
      .where(sql`${t.status} = 'running'`),
    index('jobs_expiry_idx')
      .on(sql`(coalesce(${t.finishedAt}, ${t.progressAt}, ${t.createdAt}))`)
      .where(sql`${t.purgedAt} is null and ${t.status} <> 'running'`),
    check(
      'jobs_status_known',
      sql`${t.status} in ('created','uploading','awaiting_credits','running','completed','cancelled','failed')`,
    ),
    check(
      'jobs_rows_add_up',
      sql`${t.rowsDone} = ${t.rowsSucceeded} + ${t.rowsFailed} and ${t.rowsDone} <= ${t.rowsTotal} and least(${t.rowsSucceeded}, ${t.rowsFailed}, ${t.rowsKept}) >= 0 and ${t.rowsKept} <= ${t.rowsSucceeded}`,
    ),
    check(
      'jobs_credits_add_up',
      sql`least(${t.creditsHeld}, ${t.creditsCharged}, ${t.creditsReleased}) >= 0`,
    ),
  ],
);

/** Consecutive rows of a job: the unit of fan-out, of the lease and of the commit. */
export const jobChunks = pgTable(
  'job_chunks',
  {
    jobId: uuid('job_id').notNull(),
    index: integer('index').notNull(),
    status: text('status').notNull().default('pending'),
    /** Zero-based position of the first row in the file. */
    firstRow: integer('first_row').notNull(),
    rowCount: integer('row_count').notNull(),
    /** `string[][]`: the cells as they came (json, not jsonb: byte for byte). */
    rows: json('rows').$type<string[][]>().notNull(),
    /** One result per row, in row order, null where it is not worked yet; null before the first commit. */
    results: json('results').$type<unknown[] | null>(),
    /** Of the results, without errors that a retry is to work again. */
    rowsSucceeded: integer('rows_succeeded').notNull().default(0),
    rowsFailed: integer('rows_failed').notNull().default(0),
    /** Times that a part of it was committed; a message is about one of them. */
    part: integer('part').notNull().default(0),
    /** Leases since the last row that was committed. */
    attempts: integer('attempts').notNull().default(0),
    leaseToken: uuid('lease_token'),
    leaseUntil: instant('lease_until'),
  },
  (t) => [
    primaryKey({ name: 'job_chunks_pkey', columns: [t.jobId, t.index] }),
    foreignKey({
      name: 'job_chunks_job_fk',
      columns: [t.jobId],
      foreignColumns: [jobs.id],
    }).onDelete('cascade'),
    check('job_chunks_status_known', sql`${t.status} in ('pending','done')`),
    check('job_chunks_row_count_positive', sql`${t.rowCount} > 0`),
    check(
      'job_chunks_rows_add_up',
      sql`least(${t.rowsSucceeded}, ${t.rowsFailed}) >= 0 and ${t.rowsSucceeded} + ${t.rowsFailed} <= ${t.rowCount}`,
    ),
    check(
      'job_chunks_done_has_results',
      sql`(${t.status} = 'done') = (${t.rowsSucceeded} + ${t.rowsFailed} = ${t.rowCount}) and (${t.results} is not null or ${t.rowsSucceeded} + ${t.rowsFailed} = 0)`,
    ),
  ],
);
