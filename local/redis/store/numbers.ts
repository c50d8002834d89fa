import { ReplyError } from '../reply.ts';

const MAX_INT64 = 2n ** 63n - 1n;
const MIN_INT64 = -(2n ** 63n);
const FLOAT = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;

/** A 64-bit integer as Redis reads it: no spaces, no plus, no leading zeros. */
export function parseInt64(
  text: string,
  problem = 'ERR value is not an integer or out of range',
): bigint {
  if (!/^(?:0|-?[1-9]\d{0,18})$/.test(text)) throw new ReplyError(problem);
  const value = BigInt(text);
  if (value > MAX_INT64 || value < MIN_INT64) throw new ReplyError(problem);
  return value;
}

/** As `parseInt64`, for counts and indexes; beyond 2^53 the last digits do not matter. */
export const parseInteger = (text: string, problem?: string): number =>
  Number(parseInt64(text, problem));

export function addInt64(a: bigint, b: bigint): bigint {
  const sum = a + b;
  if (sum > MAX_INT64 || sum < MIN_INT64)
    throw new ReplyError('ERR increment or decrement would overflow');
  return sum;
}

export const negated = (value: bigint): bigint => {
  if (value === MIN_INT64) throw new ReplyError('ERR decrement would overflow');
  return -value;
};

/** A decimal as digits and how many of them follow the point. */
function decimalOf(text: string, problem: string): { digits: bigint; scale: number } {
  if (!FLOAT.test(text)) throw new ReplyError(problem);
  const [mantissa = '', exponent = '0'] = text.toLowerCase().split('e');
  const [whole = '', fraction = ''] = mantissa.replace('+', '').split('.');
  const scale = fraction.length - Number(exponent);
  if (Math.abs(scale) > 400) throw new ReplyError(problem);
  const digits = BigInt(`${whole === '-' ? '-0' : whole || '0'}${fraction}`);
  return scale >= 0 ? { digits, scale } : { digits: digits * 10n ** BigInt(-scale), scale: 0 };
}

/**
 * Adds exactly. Redis adds in long double and prints 17 decimals: for what people store that is the
 * decimal sum, where a JavaScript number would show 0.30000000000000004.
 */
export function addDecimal(
  a: string,
  b: string,
  problem = 'ERR value is not a valid float',
): string {
  const [x, y] = [decimalOf(a, problem), decimalOf(b, 'ERR value is not a valid float')];
  const scale = Math.max(x.scale, y.scale);
  const sum = x.digits * 10n ** BigInt(scale - x.scale) + y.digits * 10n ** BigInt(scale - y.scale);
  const digits = (sum < 0n ? -sum : sum).toString().padStart(scale + 1, '0');
  const whole = digits.slice(0, digits.length - scale);
  const fraction = digits
    .slice(digits.length - scale)
    .slice(0, 17)
    .replace(/0+$/, '');
  const text = fraction ? `${whole}.${fraction}` : whole;
  return sum < 0n && text !== '0' ? `-${text}` : text;
}

/** A score: a float, or an infinity. */
export function parseScore(text: string, problem = 'ERR value is not a valid float'): number {
  const infinity = /^([+-]?)inf(?:inity)?$/i.exec(text);
  if (infinity) return infinity[1] === '-' ? -Infinity : Infinity;
  if (!FLOAT.test(text)) throw new ReplyError(problem);
  return Number(text);
}

export function formatScore(score: number): string {
  if (score === Infinity) return 'inf';
  return score === -Infinity ? '-inf' : String(score);
}
