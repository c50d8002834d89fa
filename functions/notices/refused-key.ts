import type { Refusal } from '../clients/stripe.ts';
import type { Ctx } from '../context.ts';
import type { Notice } from './notice.pure.ts';

const detailOf = ({ status, resource }: Refusal): string =>
  status === 401
    ? 'Stripe refuses our key: until STRIPE_SECRET_KEY is one of this account that was not revoked, nobody can pay and nothing is reconciled.'
    : `Stripe does not let our key use ${resource}: give it the permission, or set another STRIPE_SECRET_KEY.`;

/**
 * A provider refuses what we are or ask: our key, our credit, a model, a parameter. Told again after it was
 * closed, since it is true again; where that cannot be stored, a line in the log has to do.
 */
export async function noticeRefusal(
  { db, log }: Pick<Ctx, 'db' | 'log'>,
  { provider, detail }: { provider: string; detail: string },
): Promise<void> {
  const notice: Notice = {
    kind: 'provider_refused',
    subject: { type: 'provider', id: provider },
    detail,
    isAgain: true,
  };
  try {
    await db.rows('select rowloom.notices_raise(null, $1)', [JSON.stringify([notice])]);
  } catch {
    log('notice_not_raised', { kind: notice.kind });
  }
}

/** Stripe refuses our own key, whatever was asked. */
export async function noticeRefusedKey(
  ctx: Pick<Ctx, 'db' | 'log'>,
  refusal: Refusal,
): Promise<void> {
  ctx.log('stripe_key_refused', refusal);
  await noticeRefusal(ctx, { provider: 'stripe', detail: detailOf(refusal) });
}
