import { DomainError } from '../errors.ts';

/**
 * Where Stripe may send people back to: the frontend or another allowed origin, by https (http on
 * loopback only when that very origin is allowed). Throws `redirect_not_allowed`.
 */
export function allowedRedirect(
  given: string | undefined,
  fallback: string,
  origins: readonly string[],
): string {
  if (given === undefined) return fallback;
  const origin = URL.canParse(given) ? new URL(given).origin : undefined;
  if (origin === undefined || !origins.includes(origin))
    throw new DomainError(
      'redirect_not_allowed',
      'successUrl and cancelUrl must lie on an allowed origin.',
    );
  return given;
}
