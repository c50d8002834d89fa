import { Hono } from 'hono';
import type { Ctx } from '../context.ts';
import { requireAdmin } from '../http/middleware.ts';
import { adminAuditRoutes, adminBooksRoutes } from './admin-books.ts';
import { adminCreditRoutes } from './admin-credits.ts';
import { adminNoticeRoutes } from './admin-notices.ts';
import { adminJobRoutes, adminUsageRoutes } from './admin-usage.ts';
import { adminWebhookRoutes } from './admin-webhooks.ts';
import { reconcileRoutes } from './reconcile.ts';

/** What operators may do; everything here wants `ADMIN_TOKEN`, paths that do not exist included. */
export const adminRoutes = (ctx: Ctx) =>
  new Hono()
    .use(requireAdmin(ctx.config.adminToken))
    .route('/webhooks', adminWebhookRoutes(ctx))
    .route('/notices', adminNoticeRoutes(ctx))
    .route('/users', adminCreditRoutes(ctx))
    .route('/users', adminBooksRoutes(ctx))
    .route('/audit', adminAuditRoutes(ctx))
    .route('/usage', adminUsageRoutes(ctx))
    .route('/jobs', adminJobRoutes(ctx))
    .route('/', reconcileRoutes(ctx));
