import known from './errors.json' with { type: 'json' };
import type { Profile } from './settings.ts';

/** What is wrong with a call; `type` is `invalid_request_error` unless told. */
export type Problem = {
  status: number;
  message: string;
  type?: string;
  param?: string | null;
  code?: string | null;
  retryAfterSeconds?: number | undefined;
  failedGeneration?: string;
};

const tables: Record<Profile, Record<string, Problem>> = { ...known, plain: known.openai };

/** The profile's words for a kind of failure; undefined for what is none. */
export function knownProblem(
  profile: Profile,
  kind: string,
  { model = '', key = '' }: { model?: string; key?: string | undefined } = {},
): Problem | undefined {
  const problem = tables[profile][kind];
  const fill = (text: string) =>
    text.replace('{model}', () => model).replace('{key}', () => key.slice(0, 7));
  return problem && { ...problem, message: fill(problem.message) };
}

/** OpenAI's error body has all four fields; Groq's has no `param`, and no `code` where there is none. */
export function errorBody(profile: Profile, problem: Problem): { error: object } {
  const { message, type = 'invalid_request_error', param = null, code = null } = problem;
  if (profile !== 'groq') return { error: { message, type, param, code } };
  const failed = problem.failedGeneration ? { failed_generation: problem.failedGeneration } : {};
  return { error: { message, type, ...(code === null ? {} : { code }), ...failed } };
}

export const invalid = (
  message: string,
  param: string | null = null,
  code: string | null = null,
): Problem => ({ status: 400, message, param, code });
