import type { Context } from 'hono';
import { z } from 'zod';
import { invalid, Problem } from './core/problem.ts';

/**
 * The JSON object in the body of a `/_local` request; no body is an empty one.
 * @throws Problem 400 for anything else, 422 for an object that the switch does not take.
 */
export async function localBody<T>(c: Context, schema: z.ZodType<T>): Promise<T> {
  const text = await c.req.text();
  const body: unknown = text === '' ? {} : JSON.parse(text);
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    throw invalid('Give a JSON object.');
  const { success, data, error } = schema.safeParse(body);
  if (success) return data;
  throw new Problem(422, { type: 'invalid_request_error', message: z.prettifyError(error) });
}
