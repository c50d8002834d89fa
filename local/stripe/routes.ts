import type { Route } from './core/route.ts';
import { checkoutRoutes } from './families/checkout-routes.ts';
import { customerRoutes } from './families/customers.ts';
import { disputeRoutes } from './families/disputes.ts';
import { eventRoutes } from './families/events.ts';
import { invoiceRoutes } from './families/invoice-routes.ts';
import { paymentRoutes } from './families/payment-routes.ts';
import { portalRoutes } from './families/portal.ts';
import { priceRoutes } from './families/prices.ts';
import { productRoutes } from './families/products.ts';
import { refundRoutes } from './families/refunds.ts';
import { scheduleRoutes } from './families/schedule-routes.ts';
import { subscriptionRoutes } from './families/subscription-routes.ts';
import { webhookEndpointRoutes } from './families/webhook-endpoints.ts';

/** Every route of the API that the stand-in knows. */
export const routes: Route[] = [
  ...productRoutes,
  ...priceRoutes,
  ...customerRoutes,
  ...checkoutRoutes,
  ...subscriptionRoutes,
  ...scheduleRoutes,
  ...invoiceRoutes,
  ...paymentRoutes,
  ...refundRoutes,
  ...disputeRoutes,
  ...portalRoutes,
  ...eventRoutes,
  ...webhookEndpointRoutes,
];
