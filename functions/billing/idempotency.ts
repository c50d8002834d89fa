import type Stripe from 'stripe';
import { sha256 } from '../shared/hash.ts';

/**
 * A state recurs within the 24 hours that Stripe remembers a key (cancel, resume, cancel), and Stripe
 * remembers its own 500s too: after these ten minutes a key made from the state is another one.
 */
const stateKeyTtlMs = 600_000;

type Part = string | number | boolean | null | undefined;

/**
 * Stripe's idempotency key of a call: the same caller's key, or else the same state, gives the same one.
 * A digest, since Stripe takes 255 characters and advises against e-mail addresses in keys.
 * Source: docs.stripe.com/api/idempotent_requests
 */
export async function idempotencyKeyOf(
  intent: string,
  userId: string,
  from: { callersKey: string | undefined; state: Part[]; now: Date },
): Promise<string> {
  const origin =
    from.callersKey === undefined
      ? ['state', Math.floor(from.now.getTime() / stateKeyTtlMs), ...from.state]
      : ['caller', from.callersKey];
  const text = JSON.stringify([userId, ...origin]);
  return `rowloom:${intent}:${await sha256(text)}`;
}

/** The request whose answer Stripe gave again: it says what was, which need not be what is. */
const originOf = (answer: Stripe.Response<object>): string | undefined => {
  const { headers } = answer.lastResponse;
  return headers['idempotent-replayed'] === 'true'
    ? (headers['original-request'] ?? 'earlier')
    : undefined;
};

/** How often a state may recur before its keys are no longer derived from it. */
const maxKeyGenerations = 10;

/**
 * Makes a change once: gives what Stripe said and what is there now. They differ when Stripe only
 * repeated its first answer. If then what is there is not what was wanted, the key is spent and the
 * change is made under the one that follows from it; a caller's own key has no such follower.
 */
export async function idempotentCall<T extends object>(call: {
  key: string;
  isCallers: boolean;
  act: (options: { idempotencyKey: string }) => Promise<Stripe.Response<T>>;
  /** What is there now; is given the answer that came again. */
  read: (answer: T) => Promise<T>;
  isDone: (now: T) => boolean;
}): Promise<{ said: T; now: T }> {
  let idempotencyKey = call.key;
  for (let generation = 1; ; generation += 1) {
    const said = await call.act({ idempotencyKey });
    const origin = originOf(said);
    if (origin === undefined) return { said, now: said };
    const now = await call.read(said);
    if (call.isCallers || call.isDone(now)) return { said, now };
    const next = generation < maxKeyGenerations ? origin : crypto.randomUUID();
    idempotencyKey = `${call.key}:${next}`;
  }
}
