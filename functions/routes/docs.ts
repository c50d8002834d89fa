import { Hono } from 'hono';
import { generateSpecs } from 'hono-openapi';
import type { Ctx } from '../context.ts';
import type { Vars } from '../http/middleware.ts';
import { docsPage, type Spec } from './docs-page.ts';

const securitySchemes = {
  user: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT', description: "The user's token" },
  admin: { type: 'http', scheme: 'bearer', description: 'ADMIN_TOKEN' },
  stripe: { type: 'apiKey', in: 'header', name: 'Stripe-Signature' },
  qstash: { type: 'apiKey', in: 'header', name: 'Upstash-Signature' },
} as const;

/** The API's reference, made from the routes themselves. */
export function docsRoutes(ctx: Ctx, app: Hono<{ Variables: Vars }>) {
  let spec: Promise<Spec> | undefined;
  const specOnce = (): Promise<Spec> =>
    (spec ??= generateSpecs(app, {
      // `describe` tells of refusals; the generator's own is none of our answers.
      defaultValidationErrorResponse: false,
      documentation: {
        info: {
          title: 'Rowloom',
          version: '1',
          description:
            'Leads in a CSV, researched and answered with a personal e-mail, paid with credits. Errors are RFC 9457 problems with a stable `code`; every answer carries `X-Request-Id`.',
        },
        servers: [{ url: ctx.config.publicUrl }],
        components: { securitySchemes },
      },
    }) as Promise<unknown> as Promise<Spec>);
  return new Hono()
    .get('/openapi.json', async (c) => {
      c.header('cache-control', 'public, max-age=300');
      return c.json(await specOnce());
    })
    .get('/docs', async (c) => {
      c.header('cache-control', 'public, max-age=300');
      return c.html(docsPage(await specOnce()));
    });
}
