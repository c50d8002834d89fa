import { Hono } from 'hono';
import * as z from 'zod';
import { createCheckout, type CheckoutInput } from '../billing/create-checkout.ts';
import { listInvoices } from '../billing/list-invoices.ts';
import { listPlans } from '../billing/list-plans.ts';
import { openPortal } from '../billing/open-portal.ts';
import { readCheckout } from '../billing/read-checkout.ts';
import type { Ctx } from '../context.ts';
import { subscriptionRoutes } from './billing-subscription.ts';
import { checked, describe } from './openapi-route.ts';
import { idempotencyHeader, jsonBody, refusedBody } from './request.ts';
import {
  checkoutSchema,
  checkoutStateSchema,
  invoicesSchema,
  limitQuery,
  plansSchema,
} from './schemas.ts';
import type { Session, UserEnv } from './authenticate.ts';

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

const invoicesQuery = z.object({
  limit: limitQuery,
  cursor: z
    .string()
    .regex(/^in_\w{1,250}$/, 'is not a cursor of this list')
    .optional(),
});

const readPlans = describe({
  tag: 'Billing',
  summary: 'Plans and packs on sale',
  description: 'Amounts are in the minor unit of the currency (cents).',
  auth: 'none',
  ok: { status: 200, description: 'What is on sale', schema: plansSchema },
  errors: ['service_unavailable'],
});

const openCheckout = describe({
  tag: 'Billing',
  summary: 'Open a payment page for a plan or packs',
  description:
    'Send the browser to `url`. The credits come once the payment is confirmed. Of the pages for a ' +
    'plan only the last one stays open.',
  auth: 'user',
  ok: { status: 201, description: 'The payment page', schema: checkoutSchema },
  errors: [
    ...refusedBody,
    'unknown_plan',
    'unknown_pack',
    'redirect_not_allowed',
    'subscription_exists',
    'idempotency_key_reused',
    'payment_provider_unavailable',
    'payment_provider_refused',
  ],
});

const checkoutParam = z.object({ sessionId: z.string().min(1).max(255) });

const readingCheckout = describe({
  tag: 'Billing',
  summary: 'What became of a payment page',
  description: '`granted` is null until the credits have come: ask again in a moment.',
  auth: 'user',
  ok: { status: 200, description: 'As Stripe and the ledger have it', schema: checkoutStateSchema },
  errors: [
    'invalid_request',
    'not_found',
    'payment_provider_unavailable',
    'payment_provider_refused',
  ],
});

const openingPortal = describe({
  tag: 'Billing',
  summary: "Open Stripe's customer portal",
  description: 'Invoices, payment methods, change of plan and cancellation, on a Stripe page.',
  auth: 'user',
  ok: { status: 201, description: 'The portal', schema: z.object({ url: z.string() }) },
  errors: ['payment_provider_unavailable', 'payment_provider_refused'],
});

const readInvoices = describe({
  tag: 'Billing',
  summary: "The caller's invoices",
  description: 'From Stripe, newest first. Amounts are in the minor unit of the currency.',
  auth: 'user',
  ok: { status: 200, description: 'A page of invoices', schema: invoicesSchema },
  errors: ['invalid_request', 'payment_provider_unavailable', 'payment_provider_refused'],
});

/** What can be bought, buying it, and what was bought. */
export const billingRoutes = (ctx: Ctx, session: Session) =>
  new Hono<UserEnv>()
    .get('/plans', readPlans, async (c) => {
      c.header('cache-control', 'public, max-age=60');
      return c.json(await listPlans(ctx));
    })
    .post(
      '/checkout',
      openCheckout,
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
      '/checkout/:sessionId',
      readingCheckout,
      session.require(),
      checked('param', checkoutParam),
      async (c) =>
        c.json(await readCheckout(ctx, { userId: c.get('userId'), ...c.req.valid('param') })),
    )
    .post('/portal', openingPortal, session.require(), async (c) =>
      c.json(await openPortal(ctx, { userId: c.get('userId') }), 201),
    )
    .get('/invoices', readInvoices, session.require(), checked('query', invoicesQuery), async (c) =>
      c.json(await listInvoices(ctx, { userId: c.get('userId'), ...c.req.valid('query') })),
    )
    .route('/subscription', subscriptionRoutes(ctx, session));
