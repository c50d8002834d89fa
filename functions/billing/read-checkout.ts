import type Stripe from 'stripe';
import type { Ctx } from '../context.ts';
import { DomainError } from '../errors.ts';
import { isUnknown, withStripe } from '../clients/stripe-errors.ts';

export type CheckoutView = {
  /** Stripe's: `open`, `complete`, `expired`. */
  status: string | null;
  /** Stripe's: `paid`, `unpaid`, `no_payment_required`. */
  paymentStatus: string;
  /** Credits that came of it; null until they have. */
  granted: number | null;
};

const notFound = (cause?: unknown): DomainError =>
  new DomainError('not_found', 'There is no such checkout.', { cause });

/** The key of the fact that pays the credits out: the plan's invoice, or the session of a pack. */
function factKeyOf({ id, mode, invoice }: Stripe.Checkout.Session): string | null {
  if (mode !== 'subscription') return `session:${id}`;
  if (invoice === null) return null;
  return `invoice:${typeof invoice === 'string' ? invoice : invoice.id}`;
}

/** What a payment has granted so far; null before its fact is known. */
async function grantedFor(ctx: Ctx, userId: string, factKey: string): Promise<number | null> {
  const [row] = await ctx.db.rows<{ granted: number }>(
    `select coalesce(sum(l.granted), 0)::float8 as granted from credit_facts f
        left join credit_lots l on l.user_id = f.user_id and l.payment = f.key
      where f.key = $2 and f.user_id = $1 group by f.key`,
    [userId, factKey],
  );
  return row?.granted ?? null;
}

async function fetchSession(ctx: Ctx, id: string): Promise<Stripe.Checkout.Session> {
  try {
    return await ctx.stripe.checkout.sessions.retrieve(id);
  } catch (error) {
    throw isUnknown(error) ? notFound(error) : error;
  }
}

/**
 * What became of a payment page: from Stripe, with the credits from the ledger. Only the user who
 * opened it sees it; `client_reference_id`, which anybody can choose, proves nothing.
 * Throws `not_found`, `payment_provider_unavailable`.
 * Source: docs.stripe.com/api/checkout/sessions/retrieve
 */
export const readCheckout = (
  ctx: Ctx,
  input: { userId: string; sessionId: string },
): Promise<CheckoutView> =>
  withStripe(async () => {
    if (!/^cs_\w+$/.test(input.sessionId)) throw notFound();
    const session = await fetchSession(ctx, input.sessionId);
    if (session.metadata?.['user_id'] !== input.userId) throw notFound();
    const factKey = factKeyOf(session);
    return {
      status: session.status,
      paymentStatus: session.payment_status,
      granted: factKey === null ? null : await grantedFor(ctx, input.userId, factKey),
    };
  });
