import { sql } from 'drizzle-orm';
import {
  bigint,
  boolean,
  check,
  customType,
  date,
  foreignKey,
  index,
  integer,
  json,
  jsonb,
  pgTable,
  pgView,
  primaryKey,
  text,
  timestamp,
  unique,
  uniqueIndex,
  uuid,
} from 'drizzle-orm/pg-core';
import type { JobOptions } from './functions/processing/job-options.ts';
import type { PlanTerms } from './functions/ledger/facts.pure.ts';
import type { Sender } from './functions/processing/sender.ts';

const instant = (name: string) => timestamp(name, { withTimezone: true });
const credits = (name: string) => bigint(name, { mode: 'number' });
/** Text that sorts by byte, as positions in a timeline do. */
const position = customType<{ data: string }>({ dataType: () => 'text collate "C"' });

/**
 * One person. The credit columns, `version` and what follows are written with the books alone: they are
 * what the facts of this user come to.
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
    creditsBalance: credits('credits_balance').notNull().default(0),
    creditsPlan: credits('credits_plan').notNull().default(0),
    creditsBonus: credits('credits_bonus').notNull().default(0),
    creditsPurchased: credits('credits_purchased').notNull().default(0),
    creditsHeld: credits('credits_held').notNull().default(0),
    /** Taken back or used by facts that came late, and not there. */
    creditsShortfall: credits('credits_shortfall').notNull().default(0),
    /** Counts every change of the books; a refold posts against it. */
    version: bigint('version', { mode: 'number' }).notNull().default(0),
    /** Counts the changes that can change what the user is entitled to. */
    standingVersion: bigint('standing_version', { mode: 'number' }).notNull().default(0),
    /** Where the newest fact stands in the timeline: what stands before it is late. */
    newestPosition: position('newest_position'),
    /** Facts were stored that the books do not show yet. */
    staleSince: instant('stale_since'),
    /** When a yearly plan's next month, and a free month, fall due. */
    nextDueAt: instant('next_due_at'),
    allowanceDueAt: instant('allowance_due_at'),
    suspendedAt: instant('suspended_at'),
    suspendedReason: text('suspended_reason'),
    /** Of the fold that wrote the books. */
    foldVersion: integer('fold_version').notNull().default(0),
    signedUpAt: instant('signed_up_at'),
    createdAt: instant('created_at').notNull().defaultNow(),
  },
  (t) => [
    unique('users_external_id_key').on(t.externalId),
    unique('users_stripe_customer_id_key').on(t.stripeCustomerId),
    // Of "C", where only ASCII has two cases: elsewhere KELVIN SIGN is a k.
    index('users_email_ascii_lower_idx').on(sql`lower(${t.email} collate "C")`),
    index('users_stale_idx')
      .on(t.staleSince)
      .where(sql`${t.staleSince} is not null`),
    index('users_next_due_idx')
      .on(t.nextDueAt)
      .where(sql`${t.nextDueAt} is not null`),
    index('users_allowance_due_idx')
      .on(t.allowanceDueAt)
      .where(sql`${t.allowanceDueAt} is not null`),
    check(
      'users_credits_not_negative',
      sql`least(${t.creditsPlan}, ${t.creditsBonus}, ${t.creditsPurchased}, ${t.creditsHeld}, ${t.creditsShortfall}) >= 0`,
    ),
    check(
      'users_balance_is_sum_of_lots',
      sql`${t.creditsBalance} = ${t.creditsPlan} + ${t.creditsBonus} + ${t.creditsPurchased}`,
    ),
    check(
      'users_suspension_has_reason',
      sql`(${t.suspendedAt} is null) = (${t.suspendedReason} is null)`,
    ),
  ],
);

/** Every Stripe customer that pays for an account, those that were deleted too. */
export const stripeCustomers = pgTable(
  'stripe_customers',
  {
    customerId: text('customer_id').primaryKey(),
    userId: uuid('user_id').notNull(),
    /** Whoever pays chose the account, and nothing of ours says that it is theirs: see docs/whose-it-is.md. */
    isChosen: boolean('is_chosen').notNull().default(false),
    deletedAt: instant('deleted_at'),
  },
  (t) => [
    foreignKey({
      name: 'stripe_customers_user_fk',
      columns: [t.userId],
      foreignColumns: [users.id],
    }),
    index('stripe_customers_user_idx').on(t.userId),
  ],
);

/** What an operator has to look at, until somebody closes it. */
export const notices = pgTable(
  'notices',
  {
    id: bigint('id', { mode: 'number' }).primaryKey().generatedAlwaysAsIdentity(),
    at: instant('at').notNull().defaultNow(),
    kind: text('kind').notNull(),
    userId: uuid('user_id'),
    /** What it is about: `charge`, `subscription`, `user`, …, and its id. */
    subjectType: text('subject_type').notNull(),
    subjectId: text('subject_id').notNull(),
    detail: text('detail').notNull(),
    closedAt: instant('closed_at'),
    closedReason: text('closed_reason'),
  },
  (t) => [
    foreignKey({ name: 'notices_user_fk', columns: [t.userId], foreignColumns: [users.id] }),
    /** One open notice of a kind about one thing. */
    uniqueIndex('notices_open_key')
      .on(t.kind, t.subjectType, t.subjectId)
      .where(sql`${t.closedAt} is null`),
    index('notices_subject_idx').on(t.subjectId),
    check(
      'notices_kind_known',
      sql`${t.kind} in ('duplicate_subscription','unlinked_payment','fraud_warning','renamed_price','provider_refused','reconcile_difference','audit_difference','account_suspended')`,
    ),
    check('notices_closed_has_reason', sql`(${t.closedAt} is null) = (${t.closedReason} is null)`),
  ],
);

/** Until when something that runs again and again has been done: `reconcile`, `webhook_payloads`. */
export const watermarks = pgTable('watermarks', {
  name: text('name').primaryKey(),
  at: instant('at').notNull(),
});

/** What happened, each fact once, joined from all its tellings: the books are a function of these. */
export const creditFacts = pgTable(
  'credit_facts',
  {
    /** `invoice:in_…`, `session:cs_…`, `refund:re_…`, `hold:{job}:{run}`, …: see ledger/facts.pure.ts. */
    key: text('key').primaryKey(),
    userId: uuid('user_id').notNull(),
    kind: text('kind').notNull(),
    at: instant('at').notNull(),
    position: position('position').notNull(),
    /** The fact as TypeScript has it. */
    body: jsonb('body').notNull(),
  },
  (t) => [
    foreignKey({ name: 'credit_facts_user_fk', columns: [t.userId], foreignColumns: [users.id] }),
    index('credit_facts_user_idx').on(t.userId, t.position),
    check(
      'credit_facts_kind_known',
      sql`${t.kind} in ('signup','customer','state','invoice','plan','pack','reversal','allowance','adjustment','suspension','hold','release')`,
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
    amount: credits('amount').notNull(),
    plan: credits('plan').notNull(),
    bonus: credits('bonus').notNull(),
    purchased: credits('purchased').notNull(),
    balanceAfter: credits('balance_after').notNull(),
    /** What is posted once: a fact's key, or that and what was learned of it later. */
    idempotencyKey: text('idempotency_key').notNull(),
    /** The fact that moved the books; null: a refold alone. */
    factKey: text('fact_key'),
    sourceType: text('source_type').notNull(),
    sourceId: text('source_id').notNull(),
    jobId: uuid('job_id'),
    /** How it moved each lot, by key: over a lot they sum up to what remains, over an entry to `amount`. */
    movements: jsonb('movements').$type<Record<string, number>>().notNull().default({}),
    details: jsonb('details').notNull().default({}),
  },
  (t) => [
    foreignKey({ name: 'credit_entries_user_fk', columns: [t.userId], foreignColumns: [users.id] }),
    unique('credit_entries_idempotency_key_key').on(t.idempotencyKey),
    index('credit_entries_user_idx').on(t.userId, t.id),
    check('credit_entries_balance_not_negative', sql`${t.balanceAfter} >= 0`),
    check(
      'credit_entries_amount_is_sum_of_lots',
      sql`${t.amount} = ${t.plan} + ${t.bonus} + ${t.purchased}`,
    ),
    check(
      'credit_entries_kind_known',
      sql`${t.kind} in ('signup','allowance','plan_grant','plan_renewal','plan_change','plan_month','pack','hold','release','usage','clawback','reinstatement','adjustment','correction')`,
    ),
  ],
);

/** Credits that came together: where they came from, how many are left. */
export const creditLots = pgTable(
  'credit_lots',
  {
    userId: uuid('user_id').notNull(),
    key: text('key').notNull(),
    kind: text('kind').notNull(),
    /** Of a plan's lot; and the fact that paid for it. */
    subscription: text('subscription'),
    payment: text('payment'),
    /** Where it was opened in the timeline: the oldest of a kind is spent first. */
    opened: position('opened').notNull(),
    granted: credits('granted').notNull(),
    remaining: credits('remaining').notNull(),
    isExpired: boolean('is_expired').notNull().default(false),
    /** What comes back to it depends on history (a cap, a shortfall): only a refold can say. */
    isEncumbered: boolean('is_encumbered').notNull().default(false),
  },
  (t) => [
    primaryKey({ name: 'credit_lots_pkey', columns: [t.userId, t.key] }),
    foreignKey({ name: 'credit_lots_user_fk', columns: [t.userId], foreignColumns: [users.id] }),
    check('credit_lots_kind_known', sql`${t.kind} in ('plan','bonus','purchased')`),
    check(
      'credit_lots_remaining_in_range',
      sql`${t.remaining} >= 0 and ${t.remaining} <= ${t.granted} and (not ${t.isExpired} or ${t.remaining} = 0)`,
    ),
  ],
);

/** What the runs of jobs hold now. */
export const creditHolds = pgTable(
  'credit_holds',
  {
    key: text('key').primaryKey(),
    userId: uuid('user_id').notNull(),
    credits: credits('credits').notNull(),
    /** `[[lot, credits], …]` in the order in which they were taken. */
    takes: jsonb('takes').$type<[string, number][]>().notNull(),
    uncovered: credits('uncovered').notNull().default(0),
    /** On an unlimited plan: nothing was taken. */
    isUsage: boolean('is_usage').notNull().default(false),
  },
  (t) => [
    foreignKey({ name: 'credit_holds_user_fk', columns: [t.userId], foreignColumns: [users.id] }),
    index('credit_holds_user_idx').on(t.userId),
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
    /**
     * As text: nothing asks for its parts, and it is half of all that an event writes. Null once its
     * retention is over.
     */
    payload: json('payload'),
    /** The id of what it is about: what is tried again is read from Stripe anew. */
    objectId: text('object_id'),
    apiVersion: text('api_version'),
    userId: uuid('user_id'),
    stripeCreatedAt: instant('stripe_created_at').notNull(),
    receivedAt: instant('received_at').notNull().defaultNow(),
    processedAt: instant('processed_at'),
    nextAttemptAt: instant('next_attempt_at'),
    /** Ids, prices and lower-case e-mail whose arrival makes the event due. */
    waitingFor: text('waiting_for').array(),
    /** Why an operator closed it. */
    dismissedReason: text('dismissed_reason'),
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
      sql`${t.status} in ('pending','completed','skipped','failed','dismissed')`,
    ),
    check(
      'stripe_events_failed_has_error',
      sql`${t.status} <> 'failed' or ${t.errorCode} is not null`,
    ),
    check(
      'stripe_events_dismissed_has_reason',
      sql`(${t.status} = 'dismissed') = (${t.dismissedReason} is not null)`,
    ),
  ],
);

/** Where each subscription stands: its newest state, and its newest paid invoice. */
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
    /** Where its newest state stands in the timeline; null: only a paid invoice is known. */
    statePosition: position('state_position'),
    /** What entitles, as `Standing` has it: the state's plan, the paid one's, and since when payment fails. */
    terms: jsonb('terms').$type<PlanTerms | null>(),
    paid: jsonb('paid').$type<PlanTerms | null>(),
    paidPeriodStart: instant('paid_period_start'),
    takenBack: boolean('taken_back').notNull().default(false),
    failingSince: instant('failing_since'),
    graceDays: integer('grace_days').notNull().default(0),
    /** Credits of what was granted last, 2^53 - 1 for unlimited: a state with less is a downgrade. */
    grantedCredits: credits('granted_credits').notNull().default(0),
    /** A yearly plan whose months are granted one by one. */
    grantsMonthly: boolean('grants_monthly').notNull().default(false),
  },
  (t) => [
    foreignKey({ name: 'subscriptions_user_fk', columns: [t.userId], foreignColumns: [users.id] }),
    index('subscriptions_user_idx').on(t.userId),
  ],
);

/** Every Stripe id by which a payment is known: `payment` is the key of its fact, known or yet to come. */
export const paymentRefs = pgTable('payment_refs', {
  ref: text('ref').primaryKey(),
  payment: text('payment').notNull(),
});

/** Counts the changes of `stripe_prices` (by a trigger): who decided with another catalogue decides anew. */
export const catalogueVersion = pgTable(
  'catalogue_version',
  {
    id: integer('id').primaryKey().default(1),
    version: bigint('version', { mode: 'number' }).notNull().default(0),
  },
  (t) => [check('catalogue_version_is_one_row', sql`${t.id} = 1`)],
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
    credits: credits('credits'),
    trialCredits: credits('trial_credits').notNull().default(0),
    interval: text('interval'),
    /** A yearly price that grants its credits anew every month. */
    grantsMonthly: boolean('grants_monthly').notNull().default(false),
    amountCents: bigint('amount_cents', { mode: 'number' }).notNull(),
    currency: text('currency').notNull(),
    /** Stripe's time of what is known: what was said before it is no news. */
    stripeEventAt: instant('stripe_event_at'),
    /** When the price was made in Stripe. */
    stripeCreatedAt: instant('stripe_created_at'),
    /** Not archived in Stripe. */
    active: boolean('active').notNull().default(true),
    /** Offered to everybody (`rowloom_listed`); a private price only carries its key. */
    listed: boolean('listed').notNull().default(false),
    position: integer('position').notNull().default(0),
  },
  (t) => [
    index('stripe_prices_key_idx').on(t.kind, t.key),
    check('stripe_prices_kind_known', sql`${t.kind} in ('plan','pack')`),
    check('stripe_prices_pack_is_counted', sql`${t.kind} = 'plan' or ${t.credits} is not null`),
    check('stripe_prices_credits_not_negative', sql`${t.credits} >= 0 and ${t.trialCredits} >= 0`),
  ],
);

/**
 * Of the prices of a key that are active and listed the newest; those before it stay readable for the
 * subscriptions that hold them, and come back when it is archived.
 */
export const pricesOnSale = pgView('prices_on_sale', {
  priceId: text('price_id').notNull(),
  kind: text('kind').notNull(),
  key: text('key').notNull(),
}).as(sql`
  select distinct on (kind, key) price_id, kind, key from stripe_prices where active and listed
    order by kind, key, stripe_created_at desc nulls last, price_id desc`);

/** The names of products as people see them. */
export const stripeProducts = pgTable('stripe_products', {
  productId: text('product_id').primaryKey(),
  name: text('name').notNull(),
  /** As of a price. */
  stripeEventAt: instant('stripe_event_at').notNull(),
});

/** One CSV on its way: created → uploading → (awaiting_credits) → running → an end. */
export const jobs = pgTable(
  'jobs',
  {
    id: uuid('id').primaryKey().defaultRandom(),
    userId: uuid('user_id').notNull(),
    filename: text('filename').notNull(),
    processor: text('processor').notNull(),
    /** Whether its rows are searched for: such wait for the search engine when it is away. */
    needsSearch: boolean('needs_search').notNull().default(true),
    prompt: text('prompt').notNull(),
    /** The columns that the model sees; the upload is held to them. */
    columns: jsonb('columns').$type<string[] | null>(),
    /** What else was asked for: `JobOptions` in functions/processing/job-options.ts. */
    options: jsonb('options').$type<JobOptions>().notNull().default({}),
    /** Counts changes of file, prompt and options: results say for which they are. */
    settingsVersion: integer('settings_version').notNull().default(1),
    /** The sender's profile as this run began; null: none. */
    sender: jsonb('sender').$type<Sender | null>(),
    /** The file's header as it came. */
    header: jsonb('header').$type<string[] | null>(),
    /** How the file was read; null before the upload. */
    input: jsonb('input').$type<{ encoding: string; delimiter: string } | null>(),
    status: text('status').notNull().default('created'),
    /** The upload that may write chunks; a newer one takes its place. */
    uploadId: uuid('upload_id'),
    run: integer('run').notNull().default(0),
    /** A hold is open for the present run: while it runs, or is paused and chunks under way may still commit. */
    runOpen: boolean('run_open').notNull().default(false),
    /** The run whose errors are final: a start or retry begins a generation, a resume goes on with it. */
    generation: integer('generation').notNull().default(0),
    /** Only rows of chunks with a `todo` are worked; the status that a job with other rows left returns to. */
    returnsTo: text('returns_to'),
    creditsPerRow: integer('credits_per_row').notNull().default(1),
    /** False on an unlimited plan: the job runs without a hold. */
    metered: boolean('metered').notNull().default(true),
    rowsTotal: integer('rows_total').notNull().default(0),
    /** Rows that are neither worked nor charged: without content, or below the table. */
    rowsSkipped: integer('rows_skipped').notNull().default(0),
    /** Of them: rows without content, or below the table. */
    rowsEmpty: integer('rows_empty').notNull().default(0),
    /** Rows that are the same as one above them; skipped if `skipsDuplicates`. */
    rowsDuplicate: integer('rows_duplicate').notNull().default(0),
    skipsDuplicates: boolean('skips_duplicates').notNull().default(false),
    /** Rows that this run leaves as they are, without those that are skipped: the others are held for. */
    rowsKept: integer('rows_kept').notNull().default(0),
    /** Rows that were worked in this run: those that are charged, and the others. */
    runSucceeded: integer('run_succeeded').notNull().default(0),
    runFailed: integer('run_failed').notNull().default(0),
    rowsDone: integer('rows_done').notNull().default(0),
    rowsSucceeded: integer('rows_succeeded').notNull().default(0),
    rowsFailed: integer('rows_failed').notNull().default(0),
    /** What the reader of the file noticed, in sentences for its user. */
    warnings: jsonb('warnings').$type<string[]>().notNull().default([]),
    /** Rows and results as they are stored, compressed; of an ended upload or run. */
    bytesStored: bigint('bytes_stored', { mode: 'number' }).notNull().default(0),
    /** Runs that worked failed rows again without being paid for it. */
    retries: integer('retries').notNull().default(0),
    /** The run has waited for a provider in vain: retrying it does not count. */
    givenUp: boolean('given_up').notNull().default(false),
    chunksTotal: integer('chunks_total').notNull().default(0),
    /** Chunks handed to QStash so far: where a dispatcher that died goes on. */
    chunksDispatched: integer('chunks_dispatched').notNull().default(0),
    creditsHeld: integer('credits_held').notNull().default(0),
    creditsCharged: integer('credits_charged').notNull().default(0),
    creditsReleased: integer('credits_released').notNull().default(0),
    /** What the rows took so far, over all runs: of it costs are reckoned. */
    tokensIn: bigint('tokens_in', { mode: 'number' }).notNull().default(0),
    tokensOut: bigint('tokens_out', { mode: 'number' }).notNull().default(0),
    searches: integer('searches').notNull().default(0),
    /** Searches that another row had made before. */
    searchesCached: integer('searches_cached').notNull().default(0),
    /** Deliveries of the queue that were worked. */
    queueMessages: integer('queue_messages').notNull().default(0),
    /** Millionths of a US dollar, by the price table at the time. */
    costMicros: bigint('cost_micros', { mode: 'number' }).notNull().default(0),
    /** Why nothing of it could be worked; only of a job that failed. */
    error: text('error'),
    idempotencyKey: text('idempotency_key'),
    /** SHA-256 of the create request: the same key with another body is an error. */
    requestHash: text('request_hash'),
    createdAt: instant('created_at').notNull().defaultNow(),
    /** Start of the present run. */
    startedAt: instant('started_at'),
    finishedAt: instant('finished_at'),
    /** Last sign of life: of an upload, then while running; the watchdog and the retention look at it. */
    progressAt: instant('progress_at'),
    /** Last time that chunks were handed to QStash. */
    dispatchedAt: instant('dispatched_at'),
    /** Since when a cancel waits for invocations at work to commit what is finished; nobody begins anew. */
    cancelAt: instant('cancel_at'),
    /** The same of a pause. */
    pauseAt: instant('pause_at'),
    /** Times that the watchdog came in this run: each makes it wait longer. */
    watchdogRuns: integer('watchdog_runs').notNull().default(0),
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
    index('jobs_open_idx')
      .on(t.userId)
      .where(
        sql`${t.status} in ('created','uploading','awaiting_credits','ready','running','paused')`,
      ),
    index('jobs_draining_idx')
      .on(t.pauseAt)
      .where(sql`${t.status} = 'paused' and ${t.runOpen}`),
    index('jobs_stored_idx')
      .on(t.userId)
      .where(sql`${t.bytesStored} > 0`),
    index('jobs_awaiting_idx')
      .on(t.userId)
      .where(sql`${t.status} = 'awaiting_credits'`),
    index('jobs_expiry_idx')
      .on(sql`(coalesce(${t.finishedAt}, ${t.progressAt}, ${t.createdAt}))`)
      .where(sql`${t.purgedAt} is null and ${t.status} <> 'running'`),
    check(
      'jobs_status_known',
      sql`${t.status} in ('created','uploading','awaiting_credits','ready','running','paused','completed','cancelled','failed')`,
    ),
    check(
      'jobs_rows_add_up',
      sql`${t.rowsDone} = ${t.rowsSucceeded} + ${t.rowsFailed} + ${t.rowsSkipped} and ${t.rowsDone} <= ${t.rowsTotal} and least(${t.rowsSucceeded}, ${t.rowsFailed}, ${t.rowsSkipped}, ${t.rowsKept}, ${t.rowsEmpty}, ${t.rowsDuplicate}, ${t.runSucceeded}, ${t.runFailed}) >= 0`,
    ),
    check(
      'jobs_credits_add_up',
      sql`least(${t.creditsHeld}, ${t.creditsCharged}, ${t.creditsReleased}) >= 0`,
    ),
    check(
      'jobs_usage_not_negative',
      sql`least(${t.tokensIn}, ${t.tokensOut}, ${t.searches}, ${t.searchesCached}, ${t.queueMessages}, ${t.costMicros}) >= 0`,
    ),
  ],
);

/** What a user's rows came to on one day (UTC): bounds of a day go by it. */
export const userDays = pgTable(
  'user_days',
  {
    userId: uuid('user_id').notNull(),
    day: date('day').notNull(),
    rowsSucceeded: integer('rows_succeeded').notNull().default(0),
    /**
     * Rows that a model was asked for and nobody pays for: they failed by their own or their prompt's fault, or their
     * job was cancelled, deleted or retried meanwhile.
     */
    rowsUnpaid: integer('rows_unpaid').notNull().default(0),
    /** Rows that runs without a hold were begun with, less those that they did not work. */
    rowsUnlimited: integer('rows_unlimited').notNull().default(0),
  },
  (t) => [
    primaryKey({ name: 'user_days_pkey', columns: [t.userId, t.day] }),
    foreignKey({ name: 'user_days_user_fk', columns: [t.userId], foreignColumns: [users.id] }),
    index('user_days_day_idx').on(t.day),
    check(
      'user_days_not_negative',
      sql`least(${t.rowsSucceeded}, ${t.rowsUnpaid}, ${t.rowsUnlimited}) >= 0`,
    ),
  ],
);

/** Event streams that are open; one whose Worker died is none any more once its lease has run out. */
export const eventStreams = pgTable(
  'event_streams',
  {
    id: uuid('id').primaryKey(),
    userId: uuid('user_id').notNull(),
    leaseUntil: instant('lease_until').notNull(),
  },
  (t) => [
    foreignKey({ name: 'event_streams_user_fk', columns: [t.userId], foreignColumns: [users.id] }),
    index('event_streams_user_idx').on(t.userId),
    index('event_streams_lease_idx').on(t.leaseUntil),
  ],
);

/** A search engine or a model that the rows of all jobs share, and its breaker. */
export const providers = pgTable(
  'providers',
  {
    /** `search`, or the name of a model. */
    name: text('name').primaryKey(),
    /** Since when nobody but a probe calls it; null: it works. */
    openedAt: instant('opened_at'),
    reason: text('reason'),
    /** What was last heard of it: a status, a limit; never content. */
    detail: text('detail'),
    /** When it said to come back. */
    until: instant('until'),
    /** The next probe; one that has begun moves it on, so that nobody else probes. */
    probeAt: instant('probe_at'),
    /** Probes that failed since it was opened. */
    probesFailed: integer('probes_failed').notNull().default(0),
  },
  (t) => [
    check(
      'providers_reason_known',
      sql`${t.reason} in ('unavailable','rate_limited','quota_exhausted','refused')`,
    ),
    check(
      'providers_open_has_reason',
      sql`(${t.openedAt} is null) = (${t.reason} is null) and (${t.openedAt} is null) = (${t.probeAt} is null)`,
    ),
  ],
);

/** A lane of the queue that holds its messages back until one of the providers works again. */
export const pausedLanes = pgTable(
  'paused_lanes',
  {
    lane: text('lane').notNull(),
    provider: text('provider').notNull(),
    pausedAt: instant('paused_at').notNull().defaultNow(),
  },
  (t) => [
    primaryKey({ name: 'paused_lanes_pkey', columns: [t.lane, t.provider] }),
    foreignKey({
      name: 'paused_lanes_provider_fk',
      columns: [t.provider],
      foreignColumns: [providers.name],
    }),
  ],
);

/** What a user has written of themselves, and what their notifications are signed with. */
export const userProfiles = pgTable(
  'user_profiles',
  {
    userId: uuid('user_id').primaryKey(),
    sender: jsonb('sender').$type<Sender | null>(),
    /** As Standard Webhooks have it: `whsec_` and base64. */
    notifySecret: text('notify_secret'),
  },
  (t) => [
    foreignKey({
      name: 'user_profiles_user_fk',
      columns: [t.userId],
      foreignColumns: [users.id],
    }).onDelete('cascade'),
  ],
);

/** What is told to a job's `notifyUrl` when it ends: one for each run that ended it. */
export const notifications = pgTable(
  'notifications',
  {
    id: uuid('id').primaryKey().defaultRandom(),
    jobId: uuid('job_id').notNull(),
    run: integer('run').notNull(),
    url: text('url').notNull(),
    status: text('status').notNull().default('pending'),
    attempts: integer('attempts').notNull().default(0),
    /** What the receiver answered last, or why there was no answer. */
    statusCode: integer('status_code'),
    error: text('error'),
    createdAt: instant('created_at').notNull().defaultNow(),
    /** When it was handed to the queue; null: not yet. */
    publishedAt: instant('published_at'),
    attemptedAt: instant('attempted_at'),
  },
  (t) => [
    foreignKey({
      name: 'notifications_job_fk',
      columns: [t.jobId],
      foreignColumns: [jobs.id],
    }).onDelete('cascade'),
    unique('notifications_job_run_key').on(t.jobId, t.run),
    index('notifications_created_idx').on(t.createdAt),
    index('notifications_unpublished_idx')
      .on(t.createdAt)
      .where(sql`${t.publishedAt} is null and ${t.status} = 'pending'`),
    check('notifications_status_known', sql`${t.status} in ('pending','delivered','failed')`),
    check('notifications_attempts_not_negative', sql`${t.attempts} >= 0`),
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
    /**
     * One result per row, in row order, null where it is not worked yet, or what was paid for of it already;
     * null before the first commit.
     */
    results: json('results').$type<unknown[] | null>(),
    /** Positions of the rows that a run of chosen rows has left to work; null: it leaves this chunk alone. */
    todo: integer('todo').array(),
    /** `[position, number of the row that it is the same as]`; rows are numbered from 1. */
    duplicates: json('duplicates').$type<[number, number][] | null>(),
    /** Of the results, without those of rows that are to be worked again. */
    rowsSucceeded: integer('rows_succeeded').notNull().default(0),
    rowsFailed: integer('rows_failed').notNull().default(0),
    /** Rows whose result says from the upload on that they are not worked. */
    rowsSkipped: integer('rows_skipped').notNull().default(0),
    /** Times that some of it was committed; a message is about one of them. */
    revision: integer('revision').notNull().default(0),
    /** Leases since the last row that was committed. */
    fruitlessLeases: integer('fruitless_leases').notNull().default(0),
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
      sql`least(${t.rowsSucceeded}, ${t.rowsFailed}, ${t.rowsSkipped}) >= 0 and ${t.rowsSucceeded} + ${t.rowsFailed} + ${t.rowsSkipped} <= ${t.rowCount}`,
    ),
    check(
      'job_chunks_done_has_results',
      sql`(${t.status} = 'done') = (${t.rowsSucceeded} + ${t.rowsFailed} + ${t.rowsSkipped} = ${t.rowCount}) and (${t.results} is not null or ${t.duplicates} is not null or ${t.rowsSucceeded} + ${t.rowsFailed} + ${t.rowsSkipped} = 0)`,
    ),
  ],
);
