import Stripe from 'stripe';
import type { Ctx } from '../deps.ts';
import { DomainError } from '../errors.ts';
import { askStripe, type Asked } from './ask-stripe.ts';
import { decide, readEvent, type StripeEvent } from './decide.pure.ts';
import type { Decision } from './decision.pure.ts';

/** How old a signed delivery may be. Stripe's own libraries allow the same. */
const toleranceSeconds = 300;

const cryptoProvider = Stripe.createSubtleCryptoProvider();

export type Received = {
  eventId: string;
  status: 'completed' | 'skipped' | 'duplicate' | 'failed';
  code: string | null;
  /** Events that this one brought what they waited for. */
  eventsDue: boolean;
};

/**
 * One delivery of Stripe's: verified, decided, then stored and applied in one round trip. Throws
 * `invalid_signature` or `invalid_payload` and stores nothing; throws `service_unavailable` when it
 * could not be stored, so that Stripe sends it again.
 * Source: docs.stripe.com/webhooks
 */
export async function receiveStripeEvent(
  ctx: Ctx,
  input: { body: string; signature: string | undefined },
): Promise<Received> {
  let payload: unknown;
  try {
    payload = await ctx.stripe.webhooks.constructEventAsync(
      input.body,
      input.signature ?? '',
      ctx.config.stripe.webhookSecret,
      toleranceSeconds,
      cryptoProvider,
    );
  } catch (error) {
    if (error instanceof SyntaxError)
      throw new DomainError('invalid_payload', 'The body is not JSON.');
    if (error instanceof Stripe.errors.StripeSignatureVerificationError)
      throw new DomainError('invalid_signature', 'Stripe-Signature is missing, wrong or too old.');
    throw error;
  }
  const event = readEvent(payload);
  if (!event) throw new DomainError('invalid_payload', 'The body has no id, type or created.');
  return applyEvent(ctx, event);
}

/** Postgres stores neither NUL nor half a surrogate pair; no field that counts holds them. */
const storable = (payload: StripeEvent['payload']): unknown => {
  const text = JSON.stringify(payload);
  if (!/\\u(0000|d[89a-f])/i.test(text)) return payload;
  return JSON.parse(text, (_key, value: unknown) =>
    typeof value === 'string' ? value.replaceAll('\0', '').toWellFormed() : value,
  );
};

type Outcome = {
  status: Received['status'];
  code: string | null;
  hint: string | null;
  eventsDue?: boolean;
};

const argumentsOf = (ctx: Ctx, event: StripeEvent, decision: Decision, force: boolean) => ({
  p_event: { ...event, payload: storable(event.payload) },
  p_decision: decision,
  p_options: { creditRenewal: ctx.config.creditRenewal, ...(force && { force }) },
});

const applyOnce = (
  ctx: Ctx,
  event: StripeEvent,
  decision: Decision,
  force: boolean,
): Promise<Outcome> =>
  ctx.db.call<Outcome>('stripe_event_apply', argumentsOf(ctx, event, decision, force));

export type Preview = Outcome & {
  entries: { businessKey: string; kind: string; amount: number; userId: string }[];
  subscription: boolean;
};

/** What applying an event would change; nothing is stored. */
export const previewEvent = (ctx: Ctx, event: StripeEvent): Promise<Preview> =>
  ctx.db.call<Preview>('stripe_event_preview', argumentsOf(ctx, event, decide(event), true));

/**
 * Decides and applies: the one way for a live delivery, a retry and a replay. What an event lacks is
 * asked of Stripe, between two transactions; without an answer the event waits.
 */
export async function applyEvent(
  ctx: Ctx,
  event: StripeEvent,
  asked: Asked = new Map(),
): Promise<Received> {
  const decision = decide(event);
  let outcome = await applyOnce(ctx, event, decision, false);
  const answer =
    outcome.status === 'failed' && (await askStripe(ctx, event, decision, outcome, asked));
  if (answer) {
    for (const earlier of answer.before ?? []) await applyOnce(ctx, earlier, decide(earlier), true);
    outcome =
      'force' in answer
        ? await applyOnce(ctx, event, decision, true)
        : await applyOnce(ctx, event, answer.decision, false);
  }
  if (outcome.status === 'failed')
    ctx.log('stripe_event_failed', { eventId: event.id, type: event.type, code: outcome.code });
  return {
    eventId: event.id,
    status: outcome.status,
    code: outcome.code ?? null,
    eventsDue: outcome.eventsDue ?? false,
  };
}
