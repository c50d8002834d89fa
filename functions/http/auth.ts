import { createRemoteJWKSet, errors, jwtVerify, type JWTPayload } from 'jose';
import type { Config } from '../env.ts';
import { DomainError } from '../errors.ts';
import { sha256 } from '../shared/hash.ts';

/** Who a token speaks for. */
export type Identity = { externalId: string; email: string | null; emailVerified: boolean };

export type TokenVerifier = (authorization: string | undefined) => Promise<Identity>;

const refuse = (detail: string, cause?: unknown) =>
  new DomainError('unauthorized', detail, { cause });

/** The bearer token of an Authorization header. */
export function bearerOf(authorization: string | undefined): string {
  const token = /^Bearer +([\x21-\x7e]+)$/i.exec(authorization ?? '')?.[1];
  if (token === undefined) throw refuse('Send "Authorization: Bearer <token>".');
  return token;
}

function identityOf(claims: JWTPayload): Identity {
  const subject: unknown = claims.sub;
  const externalId = Number.isSafeInteger(subject) ? String(subject) : subject;
  // oxlint-disable-next-line no-control-regex -- Postgres cannot store NUL, and nobody is named so
  if (typeof externalId !== 'string' || !/^[^\u0000-\u001f]{1,255}$/.test(externalId.trim()))
    throw refuse('The token names no user (sub).');
  const email = claims['email'];
  const usable =
    typeof email === 'string' && /^[^\s@\p{Cc}]{1,64}@[^\s@\p{Cc}]{1,255}$/u.test(email);
  return {
    externalId: externalId.trim().toWellFormed(),
    email: usable ? email.toWellFormed() : null,
    emailVerified: usable && claims['email_verified'] === true,
  };
}

/**
 * Verifies user tokens: HS256 by the shared secret, RS256, ES256 or EdDSA by the JWKS. A key set that
 * cannot be fetched is `service_unavailable`, never a reason to let anybody in.
 */
export function createTokenVerifier(auth: Config['auth']): TokenVerifier {
  const options = {
    ...(auth.issuer !== undefined && { issuer: auth.issuer }),
    ...(auth.audience !== undefined && { audience: auth.audience }),
    clockTolerance: 5,
  };
  const secret =
    auth.jwtSecret === undefined ? undefined : new TextEncoder().encode(auth.jwtSecret);
  const keySet = auth.jwksUrl === undefined ? undefined : createRemoteJWKSet(new URL(auth.jwksUrl));

  const verify = async (token: string): Promise<JWTPayload> => {
    if (keySet && !isHs256(token)) {
      const algorithms = ['RS256', 'ES256', 'EdDSA', 'Ed25519'];
      return (await jwtVerify(token, keySet, { ...options, algorithms })).payload;
    }
    if (!secret) throw refuse('The token is not signed by a key of ours.');
    return (await jwtVerify(token, secret, { ...options, algorithms: ['HS256'] })).payload;
  };

  return async (authorization) => {
    const token = bearerOf(authorization);
    try {
      return identityOf(await verify(token));
    } catch (error) {
      throw asRefusal(error);
    }
  };
}

const isHs256 = (token: string): boolean => {
  try {
    const header = JSON.parse(
      atob((token.split('.')[0] ?? '').replace(/-/g, '+').replace(/_/g, '/')),
    );
    return (header as { alg?: unknown }).alg === 'HS256';
  } catch {
    return false;
  }
};

function asRefusal(error: unknown): DomainError {
  if (error instanceof DomainError) return error;
  if (error instanceof errors.JWTExpired) return refuse('The token has expired.', error);
  if (error instanceof errors.JWKSTimeout || error instanceof errors.JWKSInvalid)
    return keysUnavailable(error);
  if (error instanceof errors.JOSEError && error.code !== 'ERR_JOSE_GENERIC')
    return refuse('The token is not valid.', error);
  return keysUnavailable(error);
}

const keysUnavailable = (cause: unknown) =>
  new DomainError('service_unavailable', 'The key set of the sign-in service cannot be read.', {
    extra: { part: 'auth' },
    retryAfterSeconds: 5,
    cause,
  });

/** Compares secrets in a time that does not depend on where they differ. */
export async function sameSecret(given: string, expected: string): Promise<boolean> {
  const [a, b] = await Promise.all([sha256(given), sha256(expected)]);
  let difference = 0;
  for (let i = 0; i < a.length; i += 1) difference |= a.charCodeAt(i) ^ b.charCodeAt(i);
  return difference === 0;
}
