import { Hono } from 'hono';
import { z } from 'zod';
import type { World } from './core/world.ts';
import { settleSession } from './resources/checkout-pay.ts';
import { closeDispute, escalateDispute, openDispute } from './resources/disputes.ts';
import { given } from './resources/metadata.ts';
import { settleRefund } from './resources/refunds.ts';
import { localBody } from './local-body.ts';
import { isTold, tell } from './tell.ts';

const settled = z.strictObject({ outcome: z.enum(['succeeded', 'failed']) });
const refunding = z.strictObject({ refunds: z.enum(['pending', 'requires_action', 'succeeded']) });
const refunded = z.strictObject({
  status: z.enum(['canceled', 'failed', 'pending', 'succeeded']),
});
const tax = z.strictObject({ percent: z.number().min(0).max(100) });

/** An event's own fields may be told too; `event` is a whole one, and is told alone. */
const told = z
  .looseObject({})
  .refine(isTold, 'give {type, object} or {event}, and objects')
  .refine(
    (body) => !('event' in body) || Object.keys(body).every((key) => /^(event|objects)$/.test(key)),
    'beside "event" only "objects" is told',
  );

const opened = z
  .strictObject({
    amount: z.int().min(1).optional(),
    inquiry: z.boolean().optional(),
    kind: z.enum(['block', 'chargeback', 'inquiry', 'resolution']).optional(),
    /** Source: https://docs.stripe.com/api/disputes/object#dispute_object-reason */
    reason: z
      .enum([
        'bank_cannot_process',
        'check_returned',
        'credit_not_processed',
        'customer_initiated',
        'debit_not_authorized',
        'duplicate',
        'fraudulent',
        'general',
        'incorrect_account_details',
        'insufficient_funds',
        'noncompliant',
        'product_not_received',
        'product_unacceptable',
        'subscription_canceled',
        'unrecognized',
      ])
      .optional(),
  })
  .refine(
    ({ inquiry, kind }) => inquiry === undefined || kind === undefined,
    'give "kind" or "inquiry", not both',
  );

const closed = z
  .strictObject({
    status: z.enum(['needs_response', 'won', 'lost', 'warning_closed']),
    reinstated: z.int().min(0).optional(),
  })
  .refine(
    ({ status, reinstated }) => status === 'lost' || reinstated === undefined,
    'reinstated goes with the status "lost"',
  );

/** `/_local`: what banks and buyers do, outside Stripe's API. Bodies are JSON. */
export const storyRoutes = (world: World): Hono =>
  new Hono()
    .post('/tell', async (c) => c.json({ event: tell(world, await localBody(c, told)) }, 201))
    .post('/checkout/:session/settle', async (c) => {
      const session = world.store.need('checkout.session', c.req.param('session'));
      const { outcome } = await localBody(c, settled);
      settleSession(world, session, outcome === 'succeeded');
      return c.json({ session });
    })
    .post('/charges/:charge', async (c) => {
      const charge = world.store.need('charge', c.req.param('charge'));
      const { refunds } = await localBody(c, refunding);
      const { refundsBegin } = world.store.notes;
      if (refunds === 'succeeded') delete refundsBegin[charge.id];
      else refundsBegin[charge.id] = refunds;
      return c.json({ id: charge.id, refunds });
    })
    .post('/refunds/:refund', async (c) => {
      const refund = world.store.need('refund', c.req.param('refund'));
      const { status } = await localBody(c, refunded);
      return c.json({ refund: settleRefund(world, refund, status) });
    })
    .post('/charges/:charge/dispute', async (c) => {
      const charge = world.store.need('charge', c.req.param('charge'));
      const { inquiry, ...fields } = await localBody(c, opened);
      if (fields.amount !== undefined && fields.amount > charge.amount)
        return c.json({ error: `amount must be from 1 to ${charge.amount}` }, 422);
      const kind = inquiry === true ? 'inquiry' : 'chargeback';
      return c.json({ dispute: openDispute(world, charge, { kind, ...given(fields) }) }, 201);
    })
    .post('/tax', async (c) => {
      const { percent } = await localBody(c, tax);
      world.store.notes.taxPercent = percent;
      return c.json({ percent });
    })
    .post('/disputes/:dispute', async (c) => {
      const dispute = world.store.need('dispute', c.req.param('dispute'));
      const { status, reinstated } = await localBody(c, closed);
      if (status === 'needs_response') return c.json({ dispute: escalateDispute(world, dispute) });
      return c.json({ dispute: closeDispute(world, dispute, status, reinstated) });
    });
