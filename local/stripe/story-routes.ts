import { Hono } from 'hono';
import type { World } from './core/world.ts';
import { settleSession } from './resources/checkout-pay.ts';
import { closeDispute, escalateDispute, openDispute } from './resources/disputes.ts';
import { settleRefund } from './resources/refunds.ts';

type Body = Record<string, unknown>;
const outcomes = ['won', 'lost', 'warning_closed'];

/** `/_local`: what banks and buyers do, outside Stripe's API. Bodies are JSON. */
export const storyRoutes = (world: World): Hono =>
  new Hono()
    .post('/checkout/:session/settle', async (c) => {
      const session = world.store.need('checkout.session', c.req.param('session'));
      const { outcome } = await c.req.json<Body>();
      if (outcome !== 'succeeded' && outcome !== 'failed')
        return c.json({ error: 'outcome must be "succeeded" or "failed"' }, 422);
      settleSession(world, session, outcome === 'succeeded');
      return c.json({ session });
    })
    .post('/charges/:charge', async (c) => {
      const charge = world.store.need('charge', c.req.param('charge'));
      const { refunds } = await c.req.json<Body>();
      if (refunds !== 'pending' && refunds !== 'succeeded')
        return c.json({ error: 'refunds must be "pending" or "succeeded"' }, 422);
      if (refunds === 'pending') world.store.notes.pendingRefunds[charge.id] = true;
      else delete world.store.notes.pendingRefunds[charge.id];
      return c.json({ id: charge.id, refunds });
    })
    .post('/refunds/:refund', async (c) => {
      const refund = world.store.need('refund', c.req.param('refund'));
      const { status } = await c.req.json<Body>();
      if (status !== 'succeeded' && status !== 'failed')
        return c.json({ error: 'status must be "succeeded" or "failed"' }, 422);
      return c.json({ refund: settleRefund(world, refund, status === 'succeeded') });
    })
    .post('/charges/:charge/dispute', async (c) => {
      const charge = world.store.need('charge', c.req.param('charge'));
      const { amount, reason, inquiry } = await c.req.json<Body>();
      if (
        amount !== undefined &&
        (typeof amount !== 'number' || amount < 1 || amount > charge.amount)
      )
        return c.json({ error: `amount must be from 1 to ${charge.amount}` }, 422);
      const dispute = openDispute(world, charge, {
        isInquiry: inquiry === true,
        ...(amount === undefined ? {} : { amount }),
        ...(typeof reason === 'string' ? { reason } : {}),
      });
      return c.json({ dispute }, 201);
    })
    .post('/disputes/:dispute', async (c) => {
      const dispute = world.store.need('dispute', c.req.param('dispute'));
      const { status } = await c.req.json<Body>();
      if (status === 'needs_response') return c.json({ dispute: escalateDispute(world, dispute) });
      if (typeof status !== 'string' || !outcomes.includes(status))
        return c.json(
          { error: `status must be one of needs_response, ${outcomes.join(', ')}` },
          422,
        );
      return c.json({ dispute: closeDispute(world, dispute, status as 'won') });
    });
