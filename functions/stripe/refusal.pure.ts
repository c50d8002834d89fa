import type { Failure } from './reading.pure.ts';

/** What Postgres says of values, constraints and limits: it would refuse them again, whoever sends them. */
export function refusalOf(error: unknown): Failure | undefined {
  const { code } = error as { code?: unknown };
  if (typeof code !== 'string' || !/^(22|23|54)...$/.test(code)) return undefined;
  return { code: 'unreadable', detail: `The database does not take what it says (${code}).` };
}
