import type { Context } from 'hono';
import { invalid } from './core/problem.ts';

/** The JSON object in the body of a `/_local` request. @throws Problem 400 for anything else. */
export async function localBody(c: Context): Promise<Record<string, unknown>> {
  const body: unknown = await c.req.json();
  if (typeof body === 'object' && body !== null && !Array.isArray(body))
    return body as Record<string, unknown>;
  throw invalid('Give a JSON object.');
}
