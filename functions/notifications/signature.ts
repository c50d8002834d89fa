const prefix = 'whsec_';
/** Between the 24 and 64 that the specification allows. */
const secretBytes = 32;

const toBase64 = (bytes: Uint8Array): string => btoa(String.fromCharCode(...bytes));
const fromBase64 = (text: string): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(atob(text), (char) => char.charCodeAt(0));

/** A secret as receivers keep it: `whsec_` and base64. */
export const newSecret = (): string =>
  prefix + toBase64(crypto.getRandomValues(new Uint8Array(secretBytes)));

export type Signed = {
  /** The same on every try. */
  id: string;
  /** Seconds, of this try. */
  timestamp: number;
  /** The body as it is sent, byte for byte. */
  body: string;
};

/**
 * The value of `webhook-signature`: HMAC-SHA256 of `id.timestamp.body` by the secret's bytes.
 * Source: github.com/standard-webhooks/standard-webhooks, spec 1.0.0, Signature scheme
 */
export async function signatureOf(secret: string, { id, timestamp, body }: Signed) {
  const bytes = fromBase64(secret.slice(prefix.length));
  const key = await crypto.subtle.importKey(
    'raw',
    bytes,
    { name: 'HMAC', hash: 'SHA-256' },
    false,
    ['sign'],
  );
  const signed = new TextEncoder().encode(`${id}.${timestamp}.${body}`);
  return `v1,${toBase64(new Uint8Array(await crypto.subtle.sign('HMAC', key, signed)))}`;
}
