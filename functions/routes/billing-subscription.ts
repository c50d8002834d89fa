import { Hono } from 'hono';
import * as z from 'zod';
import {
  cancelAtPeriodEnd,
  cancelNow,
  resumeSubscription,
} from '../billing/cancel-subscription.ts';
import { changePlan } from '../billing/change-plan.ts';
import type { Ctx } from '../context.ts';
import type { ErrorCode } from '../errors.ts';
import { subscriptionView } from '../users/view.pure.ts';
import { checked, describe } from './openapi-route.ts';
import { idempotencyHeader, jsonBody, refusedBody } from './request.ts';
import { subscriptionAnswerSchema, subscriptionSchema } from './schemas.ts';
import type { Session, UserEnv } from './authenticate.ts';

const changeBody = z.strictObject({
  plan: z.string().min(1).max(100),
  when: z
    .enum(['now', 'period_end'])
    .optional()
    .describe('Without it an upgrade comes now, a downgrade at the end of the period'),
});

const cancelQuery = z.object({
  immediately: z.enum(['true', 'false']).default('false').describe('`true`: without waiting'),
});

/** What any call that goes on to Stripe may meet. */
const stripeErrors: ErrorCode[] = [
  'idempotency_key_reused',
  'payment_provider_unavailable',
  'payment_provider_refused',
];

const shown = { description: 'As it is now', schema: subscriptionAnswerSchema };

const read = describe({
  tag: 'Billing',
  summary: "The caller's subscription",
  description: 'From the database: it answers while Stripe does not.',
  auth: 'user',
  ok: {
    status: 200,
    description: 'The subscription, or null',
    schema: z.object({ subscription: subscriptionSchema.nullable() }),
  },
});

const change = describe({
  tag: 'Billing',
  summary: 'Change the plan',
  description:
    'An upgrade (more credits a month, or as many over a longer interval) begins a new period: its ' +
    'price less the unused time of the old plan is paid at once, and the credits come once it is. A ' +
    'downgrade now gives no money back and keeps no more credits than the smaller plan has; a yearly ' +
    'plan is downgraded only at the end of its period. A change for the end of the period can be ' +
    'replaced by another, and is taken back by asking for the plan that is there. 402 ' +
    '`payment_failed` has changed nothing; `invoiceUrl` is where the payment can still be made. 409 ' +
    '`payment_due` names an invoice that has to be paid first.',
  auth: 'user',
  ok: { status: 200, ...shown },
  errors: [
    ...refusedBody,
    'unknown_plan',
    'no_subscription',
    'subscription_ending',
    'downgrade_at_period_end',
    'payment_due',
    'payment_failed',
    ...stripeErrors,
  ],
});

const cancel = describe({
  tag: 'Billing',
  summary: 'Cancel the subscription',
  description: 'At the end of the period that is paid for, or immediately. Credits stay.',
  auth: 'user',
  ok: { status: 200, ...shown },
  errors: ['invalid_request', 'no_subscription', ...stripeErrors],
});

const resume = describe({
  tag: 'Billing',
  summary: 'Take a cancellation at the end of the period back',
  auth: 'user',
  ok: { status: 200, ...shown },
  errors: ['invalid_request', 'no_subscription', ...stripeErrors],
});

/** The caller's subscription: seen, changed, cancelled, resumed. */
export const subscriptionRoutes = (ctx: Ctx, session: Session) =>
  new Hono<UserEnv>()
    .get('/', read, async (c) => {
      const { subscriptions } = await session.load(c);
      return c.json({ subscription: subscriptionView(subscriptions[0] ?? null) });
    })
    .put(
      '/',
      change,
      session.require(),
      jsonBody,
      checked('header', idempotencyHeader),
      checked('json', changeBody),
      async (c) => {
        const subscription = await changePlan(ctx, {
          userId: c.get('userId'),
          ...c.req.valid('json'),
          idempotencyKey: c.req.valid('header')['idempotency-key'],
        });
        return c.json({ subscription });
      },
    )
    .delete(
      '/',
      cancel,
      session.require(),
      checked('header', idempotencyHeader),
      checked('query', cancelQuery),
      async (c) => {
        const verb = c.req.valid('query').immediately === 'true' ? cancelNow : cancelAtPeriodEnd;
        const subscription = await verb(ctx, {
          userId: c.get('userId'),
          idempotencyKey: c.req.valid('header')['idempotency-key'],
        });
        return c.json({ subscription });
      },
    )
    .post('/resume', resume, session.require(), checked('header', idempotencyHeader), async (c) => {
      const subscription = await resumeSubscription(ctx, {
        userId: c.get('userId'),
        idempotencyKey: c.req.valid('header')['idempotency-key'],
      });
      return c.json({ subscription });
    });
