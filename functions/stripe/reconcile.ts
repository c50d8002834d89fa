import { fromStripe, isUnknown } from '../clients/stripe-errors.ts';
import type { Ctx } from '../context.ts';
import { DomainError } from '../errors.ts';
import { findUser } from '../ledger/find-user.ts';
import { inBudget } from './reconcile-budget.ts';
import { comparePage, typeOf, type Difference } from './reconcile-compare.ts';
import {
  beginOf,
  cursorOf,
  nextList,
  placeOf,
  type Place,
  type Target,
} from './reconcile-cursor.pure.ts';
import { readPage, type Found } from './reconcile-lists.ts';

const longestMs = 20_000;

export type ReconcileInput = {
  dryRun: boolean;
  /** Where a call before this one stopped; what is asked for is to be the same. */
  cursor?: string | undefined;
  /** Of these at most one; without any, everything that Stripe has. Unix seconds of the last clean run: */
  since?: number | undefined;
  /** What happened after it may be on its way still: it is left to its webhook. Unix seconds. */
  until?: number | undefined;
  /** A Stripe customer; our id or the external one of a user; a checkout session, of a guest. */
  customer?: string | undefined;
  user?: string | undefined;
  session?: string | undefined;
};

export type Reconciled = {
  /** How many objects were looked at, and how many of each type. */
  checked: number;
  byType: Record<string, number>;
  differences: Difference[];
  /** Null: everything was walked. */
  nextCursor: string | null;
  dryRun: boolean;
};

/** All customers that pay for a user, and what was bought as a guest. */
async function targetsOfUser(ctx: Ctx, user: string): Promise<Target[]> {
  const userId = await findUser(ctx, user);
  const rows = await ctx.db.rows<{ customer: string | null; session: string | null }>(
    `select customer_id as customer, null as session from stripe_customers where user_id = $1
      union select stripe_customer_id, null from users where id = $1 and stripe_customer_id is not null
      union select null, body ->> 'session' from credit_facts
        where user_id = $1 and kind = 'pack' and body ->> 'customer' is null
      order by 1 nulls last, 2`,
    [userId],
  );
  return rows.flatMap(({ customer, session }): Target[] => {
    if (customer !== null) return [{ customer }];
    return session === null ? [] : [{ session }];
  });
}

/** A session, and whoever paid for it. */
async function targetsOfSession(ctx: Ctx, session: string): Promise<Target[]> {
  const { customer } = await ctx.stripe.checkout.sessions.retrieve(session);
  return [{ session }, ...(typeof customer === 'string' ? [{ customer }] : [])];
}

async function targetsOf(ctx: Ctx, input: ReconcileInput): Promise<Target[]> {
  const { customer, user, session } = input;
  if (customer !== undefined) return [{ customer }];
  if (user !== undefined) return targetsOfUser(ctx, user);
  return session === undefined ? [null] : targetsOfSession(ctx, session);
}

function placeOfInput({ cursor }: ReconcileInput, targets: readonly Target[]): Place | null {
  if (cursor === undefined) return beginOf(targets);
  const place = placeOf(cursor);
  if (place && targets[place.target] !== undefined) return place;
  const errors = [{ field: 'cursor', message: 'is not a cursor of this walk' }];
  throw new DomainError('invalid_request', 'Some fields do not fit.', { extra: { errors } });
}

/** When what an object tells came about, as far as it says: unix seconds. */
const happenedAt = ({ object, event }: Found): number =>
  object.object === 'invoice' ? event.created : object.created;

/** An error of Stripe's in our words; what it does not know is not found. */
const inOurWords = (error: unknown): unknown =>
  isUnknown(error) ? new DomainError('not_found', 'Stripe does not know this.') : fromStripe(error);

/** Walks until the end, or until time or requests are used up; `failure` ended it after some pages. */
export async function walk(
  given: Ctx,
  input: ReconcileInput,
): Promise<Reconciled & { failure?: unknown }> {
  const deadlineMs = given.now().getTime() + longestMs;
  const { ctx, isSpent } = inBudget(given);
  const isOver = (): boolean => isSpent() || ctx.now().getTime() >= deadlineMs;
  const { dryRun, since = null, until = Infinity } = input;
  const byType: Record<string, number> = {};
  const walked: Omit<Reconciled, 'nextCursor'> = { checked: 0, byType, differences: [], dryRun };
  const wouldKnow = new Set<string>();
  // A subscription's newest invoice comes with it, and once more in its own list.
  const said = new Set<string>();
  const isFirst = ({ says }: Difference): boolean => !said.has(says) && Boolean(said.add(says));
  let place: Place | null = null;
  let pages = 0;
  const answer = () => ({ ...walked, nextCursor: place && cursorOf(place) });
  try {
    const targets = await targetsOf(ctx, input);
    place = placeOfInput(input, targets);
    while (place && !isOver()) {
      const target = targets[place.target] ?? null;
      const { found: all, after } = await readPage(ctx, place, { target, since });
      const found = all.filter((one) => happenedAt(one) <= until);
      const { differences, isDone } = await comparePage(ctx, found, { dryRun, isOver, wouldKnow });
      walked.differences.push(...differences.filter(isFirst));
      pages += 1;
      if (!isDone) return answer();
      for (const { object } of found) byType[typeOf(object)] = (byType[typeOf(object)] ?? 0) + 1;
      walked.checked += found.length;
      place = after ? { ...place, after } : nextList(targets, place);
    }
    return answer();
  } catch (error) {
    const failure = inOurWords(error);
    if (pages === 0) throw failure;
    return { ...answer(), failure };
  }
}

/**
 * Compares what Stripe has at this moment with the books, list by list, and posts what is missing through the
 * same path as a webhook; `dryRun` only tells. Stops after 20 s with a cursor to go on from.
 * Throws `not_found`, `invalid_request`, and what Stripe's answers come to before the first page is done.
 */
export async function reconcile(ctx: Ctx, input: ReconcileInput): Promise<Reconciled> {
  const { failure, ...walked } = await walk(ctx, input);
  if (failure !== undefined && !(failure instanceof DomainError)) throw failure;
  for (const { object, type, status, entries } of walked.differences)
    ctx.log('reconcile_difference', {
      object,
      type,
      status,
      entries: entries.length,
      dryRun: input.dryRun,
    });
  return walked;
}
