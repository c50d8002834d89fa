import { digestOf } from '../shared/digest.pure.ts';
import { asObject } from './normalise/json.pure.ts';

/** A signed body: what is read of it, and the text that the inbox keeps. */
export type Payload = { json: unknown; text: string };

/** Whatever reads JSON by recursion, Postgres among it, reads so deep; no object of Stripe's is. */
const deepest = 500;

const replacement = '\uFFFD';

/** An escape in JSON text, a whole surrogate pair as one. */
const escapes = /\\(?:u[dD][89abAB][\da-fA-F]{2}\\u[dD][c-fC-F][\da-fA-F]{2}|u[\da-fA-F]{4}|.)/g;

/** Postgres takes neither NUL nor half a surrogate pair out of JSON: they become U+FFFD, keys and values alike. */
export const storable = (text: string): string =>
  /\\u(?:0000|[dD][89a-fA-F])/.test(text)
    ? text.replaceAll(escapes, (escape) =>
        /^\\u(?:0000|[dD][89a-fA-F][\da-fA-F]{2})$/.test(escape) ? replacement : escape,
      )
    : text;

/** Whether arrays and objects stand in each other deeper than anybody reads. */
function isTooDeep(text: string): boolean {
  // Hardly any event opens so many at all: counting them is eight times as fast as following them.
  if (text.split('{').length + text.split('[').length <= deepest) return false;
  let depth = 0;
  let isInText = false;
  for (let i = 0; i < text.length; i += 1) {
    const code = text.charCodeAt(i);
    if (code === 0x22) isInText = !isInText;
    else if (isInText) i += code === 0x5c ? 1 : 0;
    else if (code === 0x7b || code === 0x5b) {
      depth += 1;
      if (depth > deepest) return true;
    } else if (code === 0x7d || code === 0x5d) depth -= 1;
  }
  return false;
}

/**
 * Reads a signed body. What is nested too deep for Postgres is kept as one JSON string of the text.
 * @throws SyntaxError for what is no JSON
 */
export function readPayload(body: string): Payload {
  const sent = body.startsWith('\uFEFF') ? body.slice(1) : body;
  const text = storable(sent);
  let json: unknown = JSON.parse(text);
  // The id as it was sent: two that differ in what was replaced are two events.
  if (text !== sent) {
    const { id } = asObject(JSON.parse(sent));
    if (typeof id === 'string') json = { ...asObject(json), id };
  }
  return { json, text: isTooDeep(text) ? JSON.stringify(text) : text };
}

/** The event as it was sent, out of the text that the inbox keeps; null: its payload has been removed. */
export function storedPayload(text: string | null): unknown {
  if (text === null) return null;
  const json: unknown = JSON.parse(text);
  return typeof json === 'string' ? JSON.parse(json) : json;
}

/** A key and an address hold no more. */
const longestId = 255;

/** Text that can be a key; one that had to be changed for it carries a digest, and is nobody else's. */
export function asKey(text: string): string {
  const clean = text.toWellFormed().replaceAll(/\p{Cc}/gu, replacement);
  if (clean === text && text.length <= longestId) return text;
  return `${clean.slice(0, 200).toWellFormed()}~${digestOf(text)}`;
}
