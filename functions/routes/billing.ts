import { Hono } from 'hono';
import * as z from 'zod';
import { createCheckout, type CheckoutInput } from '../billing/create-checkout.ts';
import { listPlans } from '../billing/list-plans.ts';
import type { Ctx } from '../deps.ts';
import { subscriptionView } from '../users/view.pure.ts';
import { checked, describe } from './describe.ts';
import { idempotencyHeader, jsonBody } from './request.ts';
import { checkoutSchema, plansSchema, subscriptionSchema } from './schemas.ts';
import type { Session, UserEnv } from './session.ts';

const key = z.string().min(1).max(100);
const redirects = {
  successUrl: z.url().max(2000).optional(),
  cancelUrl: z.url().max(2000).optional(),
};

const checkoutBody = z
  .strictObject({
    plan: key.optional(),
    pack: key.optional(),
    quantity: z.number().int().min(1).max(1000).optional(),
    ...redirects,
  })
  .superRefine(({ plan, pack, quantity }, issues) => {
    const refuse = (path: string, message: string) =>
      issues.addIssue({ code: 'custom', path: [path], message });
    if (plan === undefined && pack === undefined) refuse('plan', 'name a plan or a pack');
    if (plan !== undefined && pack !== undefined) refuse('pack', 'name a plan or a pack, not both');
    if (plan !== undefined && quantity !== undefined) refuse('quantity', 'is for packs');
  });

const itemOf = ({ plan, pack, quantity }: z.infer<typeof checkoutBody>): CheckoutInput['item'] =>
  plan === undefined ? { pack: pack ?? '', quantity: quantity ?? 1 } : { plan };

/** What can be bought, buying it, and what was bought. */
export const billingRoutes = (ctx: Ctx, session: Session) =>
  new Hono<UserEnv>()
    .get(
      '/plans',
      describe({
        tag: 'Billing',
        summary: 'Plans and packs on sale',
        description: 'Amounts are in the minor unit of the currency (cents).',
        auth: 'none',
        ok: { status: 200, description: 'What is on sale', schema: plansSchema },
        errors: ['service_unavailable'],
      }),
      async (c) => {
        c.header('cache-control', 'public, max-age=60');
        return c.json(await listPlans(ctx));
      },
    )
    .post(
      '/checkout',
      describe({
        tag: 'Billing',
        summary: 'Open a payment page for a plan or packs',
        description: 'Send the browser to `url`. The credits come once the payment is confirmed.',
        auth: 'user',
        ok: { status: 201, description: 'The payment page', schema: checkoutSchema },
        errors: [
          'invalid_json',
          'invalid_request',
          'unknown_plan',
          'unknown_pack',
          'redirect_not_allowed',
          'subscription_exists',
          'payment_provider_unavailable',
          'payment_provider_refused',
        ],
      }),
      session.require(),
      jsonBody,
      checked('header', idempotencyHeader),
      checked('json', checkoutBody),
      async (c) => {
        const { successUrl, cancelUrl, ...sale } = c.req.valid('json');
        const session = await createCheckout(ctx, {
          userId: c.get('userId'),
          item: itemOf(sale),
          successUrl,
          cancelUrl,
          idempotencyKey: c.req.valid('header')['idempotency-key'],
        });
        return c.json(session, 201);
      },
    )
    .get(
      '/subscription',
      describe({
        tag: 'Billing',
        summary: "The caller's subscription",
        description: 'From the database: it answers while Stripe does not.',
        auth: 'user',
        ok: {
          status: 200,
          description: 'The subscription, or null',
          schema: z.object({ subscription: subscriptionSchema.nullable() }),
        },
      }),
      async (c) => {
        const { subscription } = await session.load(c);
        return c.json({ subscription: subscriptionView(subscription) });
      },
    );
