import { expect } from 'vitest';
import { rigSecrets } from './worker.ts';

export type Problem = {
  type: string;
  title: string;
  status: number;
  detail?: string;
  code: string;
  requestId: string;
  [field: string]: unknown;
};

/** What must never leave the Worker: places in code, SQL, addresses and keys of its services. */
const leaks = [
  /\bat \S+ ?\(?\S*:\d+:\d+/,
  /node_modules|worker\.js|\.ts:\d+/,
  /\b(?:select|insert into|delete from|update \w+ set)\b[^"]*\b(?:from|values|where|set)\b/i,
  /rowloom\.\w+\(|postgres(?:ql)?:\/\/|SQLSTATE|NeonDbError|pg_catalog/,
  /127\.0\.0\.1|localhost/,
];

/** The `type` of every problem met so far: each must be explained under /docs. */
export const typesMet = new Set<string>();

/** No stack, SQL, address or secret stands in `text`. */
export function expectNoLeak(text: string): void {
  for (const leak of leaks) expect(text).not.toMatch(leak);
  for (const secret of Object.values(rigSecrets)) expect(text).not.toContain(secret);
}

/** An RFC 9457 answer with everything that CONTRACT.md section 3 promises of one. */
export async function expectProblem(
  answer: Response,
  status: number,
  code: string,
): Promise<Problem> {
  const text = await answer.text();
  expect(answer.status, text).toBe(status);
  expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json\b/);
  expectNoLeak(text);
  const problem = JSON.parse(text) as Problem;
  expect(problem).toMatchObject({ status, code });
  expect(problem.title).toMatch(/\w/);
  expect(problem.type).toBe(`/docs#error-${code}`);
  typesMet.add(problem.type);
  expect(problem.requestId).toMatch(/^[\w-]{8,}$/);
  expect(answer.headers.get('x-request-id')).toBe(problem.requestId);
  return problem;
}
