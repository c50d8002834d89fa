import type { Route } from './core/route.ts';
import { balanceRoutes } from './resources/balance.ts';
import { checkoutRoutes } from './resources/checkout-routes.ts';
import { couponRoutes } from './resources/coupons.ts';
import { customerRoutes } from './resources/customers.ts';
import { disputeRoutes } from './resources/disputes.ts';
import { eventRoutes } from './resources/events.ts';
import { invoiceRoutes } from './resources/invoice-routes.ts';
import { toldRoutes } from './resources/told-routes.ts';
import { paymentRoutes } from './resources/payment-routes.ts';
import { portalRoutes } from './resources/portal.ts';
import { priceRoutes } from './resources/prices.ts';
import { productRoutes } from './resources/products.ts';
import { refundRoutes } from './resources/refunds.ts';
import { scheduleRoutes } from './resources/schedule-routes.ts';
import { subscriptionRoutes } from './resources/subscription-routes.ts';
import { taxRoutes } from './resources/taxes.ts';
import { webhookEndpointRoutes } from './resources/webhook-endpoints.ts';

/** Every route of the API that the stand-in knows. */
export const routes: Route[] = [
  ...productRoutes,
  ...priceRoutes,
  ...couponRoutes,
  ...customerRoutes,
  ...checkoutRoutes,
  ...subscriptionRoutes,
  ...scheduleRoutes,
  ...invoiceRoutes,
  ...paymentRoutes,
  ...refundRoutes,
  ...disputeRoutes,
  ...balanceRoutes,
  ...toldRoutes,
  ...taxRoutes,
  ...portalRoutes,
  ...eventRoutes,
  ...webhookEndpointRoutes,
];
