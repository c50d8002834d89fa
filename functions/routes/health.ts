import { Hono } from 'hono';
import * as z from 'zod';
import type { Ctx } from '../context.ts';
import { DomainError } from '../errors.ts';
import { readiness } from '../health.ts';
import { describe } from './openapi-route.ts';

const part = z.enum(['ok', 'down']);
const readySchema = z.object({
  ready: z.boolean(),
  parts: z.object({ database: part, redis: part, queue: part }),
});

export const healthRoutes = (ctx: Ctx) =>
  new Hono()
    .get(
      '/healthz',
      describe({
        tag: 'Operation',
        summary: 'Is the Worker running?',
        auth: 'none',
        ok: { status: 200, description: 'It is', schema: z.object({ status: z.literal('ok') }) },
      }),
      (c) => c.json({ status: 'ok' as const }),
    )
    .get(
      '/readyz',
      describe({
        tag: 'Operation',
        summary: 'Can it work? Names the part that does not answer',
        auth: 'none',
        ok: { status: 200, description: 'Every part answers', schema: readySchema },
        errors: ['service_unavailable'],
      }),
      async (c) => {
        c.header('cache-control', 'no-store');
        const state = await readiness(ctx);
        if (state.ready) return c.json(state);
        const down = Object.entries(state.parts).filter(([, part]) => part === 'down');
        const names = down.map(([part]) => part).join(', ');
        throw new DomainError('service_unavailable', `No answer from: ${names}.`, { extra: state });
      },
    );
