import type { AnyCall } from '../../db/call.ts';
import type { Db } from '../../db/client.ts';

/** A database whose calls go through `around`, which makes the call by `next`, or does not. */
export function aroundCalls(
  db: Db,
  around: (
    call: { name: string; args: Record<string, unknown> },
    next: () => Promise<unknown>,
  ) => Promise<unknown>,
): Db {
  const inner: AnyCall = db.call;
  const call: AnyCall = (name, args, answer) =>
    around({ name, args }, () => inner(name, args, answer));
  return { ...db, call };
}
