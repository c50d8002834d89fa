const unitMs: Record<string, number> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** `1d10h30m` → milliseconds; units s, m, h, d (headers). Undefined when it is not of that form. */
export const parseDuration = (text: string): number | undefined =>
  /^(?:\d+[smhd])+$/.test(text) ? sum(text) : undefined;

function sum(text: string): number {
  let total = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)([a-zµ]+)/g))
    total += Number(amount) * (unitMs[unit ?? ''] ?? 0);
  return total;
}

const waitHeaders = [
  'Retry-After',
  'X-Ratelimit-Reset',
  'X-Ratelimit-Reset-Requests',
  'X-Ratelimit-Reset-Tokens',
];
const dayMs = 86_400_000;

function parseWait(text: string, now: number): number | undefined {
  if (/^\d+(?:\.\d+)?$/.test(text)) return Number(text) * 1_000;
  if (/^(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h))+$/.test(text)) return sum(text);
  const date = /^[A-Z][a-z]{2}, /.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}

/**
 * How long a destination asks to be left alone, in milliseconds: seconds, an RFC 1123 date or a
 * duration. More than a day is ignored, says https://upstash.com/docs/qstash/features/retry
 */
export function askedWait(headers: Record<string, string[]>, now: number): number | undefined {
  for (const name of waitHeaders) {
    const text = headers[name]?.[0]?.trim();
    const wait = text === undefined ? undefined : parseWait(text, now);
    if (wait !== undefined && wait <= dayMs) return wait;
  }
  return undefined;
}
