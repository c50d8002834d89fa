import { type Context, Hono } from 'hono';
import type { World } from './core/world.ts';
import { settleSession } from './resources/checkout-pay.ts';
import { closeDispute, escalateDispute, openDispute } from './resources/disputes.ts';
import { settleRefund } from './resources/refunds.ts';
import { localBody } from './local-body.ts';
import { isTold, tell } from './tell.ts';

const outcomes = ['won', 'lost', 'warning_closed'] as const;
const kinds = ['block', 'chargeback', 'inquiry', 'resolution'] as const;
const refundStatuses = ['canceled', 'failed', 'pending', 'succeeded'] as const;

const refuse = (c: Context, name: string, values: readonly string[]) =>
  c.json({ error: `${name} must be one of ${values.join(', ')}` }, 422);

/** `/_local`: what banks and buyers do, outside Stripe's API. Bodies are JSON. */
export const storyRoutes = (world: World): Hono =>
  new Hono()
    .post('/tell', async (c) => {
      const told = await localBody(c);
      if (!isTold(told))
        return c.json({ error: 'give {type, object} or {event}, and objects' }, 422);
      return c.json({ event: tell(world, told) }, 201);
    })
    .post('/checkout/:session/settle', async (c) => {
      const session = world.store.need('checkout.session', c.req.param('session'));
      const { outcome } = await localBody(c);
      if (outcome !== 'succeeded' && outcome !== 'failed')
        return c.json({ error: 'outcome must be "succeeded" or "failed"' }, 422);
      settleSession(world, session, outcome === 'succeeded');
      return c.json({ session });
    })
    .post('/charges/:charge', async (c) => {
      const charge = world.store.need('charge', c.req.param('charge'));
      const { refunds } = await localBody(c);
      const { refundsBegin } = world.store.notes;
      if (refunds === 'pending' || refunds === 'requires_action') refundsBegin[charge.id] = refunds;
      else if (refunds === 'succeeded') delete refundsBegin[charge.id];
      else return refuse(c, 'refunds', ['pending', 'requires_action', 'succeeded']);
      return c.json({ id: charge.id, refunds });
    })
    .post('/refunds/:refund', async (c) => {
      const refund = world.store.need('refund', c.req.param('refund'));
      const { status } = await localBody(c);
      const found = refundStatuses.find((one) => one === status);
      if (!found) return refuse(c, 'status', refundStatuses);
      return c.json({ refund: settleRefund(world, refund, found) });
    })
    .post('/charges/:charge/dispute', async (c) => {
      const charge = world.store.need('charge', c.req.param('charge'));
      const { amount, reason, inquiry, kind } = await localBody(c);
      const isAmount = typeof amount === 'number' && Number.isInteger(amount);
      if (amount !== undefined && !(isAmount && amount > 0 && amount <= charge.amount))
        return c.json({ error: `amount must be from 1 to ${charge.amount}` }, 422);
      const wanted = kind ?? (inquiry === true ? 'inquiry' : 'chargeback');
      const found = kinds.find((one) => one === wanted);
      if (!found) return refuse(c, 'kind', kinds);
      const dispute = openDispute(world, charge, {
        kind: found,
        ...(isAmount && { amount }),
        ...(typeof reason === 'string' ? { reason } : {}),
      });
      return c.json({ dispute }, 201);
    })
    .post('/tax', async (c) => {
      const { percent } = await localBody(c);
      if (typeof percent !== 'number' || !(percent >= 0 && percent <= 100))
        return c.json({ error: 'percent must be from 0 to 100' }, 422);
      world.store.notes.taxPercent = percent;
      return c.json({ percent });
    })
    .post('/disputes/:dispute', async (c) => {
      const dispute = world.store.need('dispute', c.req.param('dispute'));
      const { status, reinstated } = await localBody(c);
      if (status === 'needs_response') return c.json({ dispute: escalateDispute(world, dispute) });
      const found = outcomes.find((one) => one === status);
      if (!found) return refuse(c, 'status', ['needs_response', ...outcomes]);
      const part = found === 'lost' && typeof reinstated === 'number' ? reinstated : undefined;
      return c.json({ dispute: closeDispute(world, dispute, found, part) });
    });
