import type { Keyspace } from '../keyspace.ts';
import { type Reply, ReplyError } from '../reply.ts';

/** A command's work; `args` are without its name and as many as its arity says. It throws `ReplyError`. */
export type Run = (db: Keyspace, ...args: string[]) => Reply;
export type Definition = {
  /** As in Redis: counts the name; a negative one is a minimum. */
  arity: number;
  run: Run;
  writes: boolean;
  /** The keys among the arguments; undefined: the whole database, under the global lock. */
  keysOf: ((args: string[]) => string[]) | undefined;
};
export type Definitions = Record<string, Definition>;

const firstKey = (args: string[]): string[] => args.slice(0, 1);
export const everyKey = (args: string[]): string[] => args;
export const evenKeys = (args: string[]): string[] => args.filter((_, index) => index % 2 === 0);
export const noKeys = (): string[] => [];

export const reading = (arity: number, run: Run, keysOf = firstKey): Definition => ({
  arity,
  run,
  writes: false,
  keysOf,
});
export const writing = (arity: number, run: Run, keysOf = firstKey): Definition => ({
  arity,
  run,
  writes: true,
  keysOf,
});

export const syntaxError = (): ReplyError => new ReplyError('ERR syntax error');

export const wrongArity = (name: string): ReplyError =>
  new ReplyError(`ERR wrong number of arguments for '${name.toLowerCase()}' command`);

/** `a 1 b 2` as pairs; an odd count is an arity error. */
export function pairs(args: string[], name: string): [string, string][] {
  if (args.length % 2 !== 0) throw wrongArity(name);
  return evenKeys(args).map((key, index) => [key, args[index * 2 + 1] ?? '']);
}

const isInt64 = (value: bigint) => BigInt.asIntN(64, value) === value;

/** A 64-bit integer as Redis reads it: no spaces, no plus, no leading zeros. */
export function parseInt64(
  text: string,
  problem = 'ERR value is not an integer or out of range',
): bigint {
  if (!/^(?:0|-?[1-9]\d{0,18})$/.test(text) || !isInt64(BigInt(text)))
    throw new ReplyError(problem);
  return BigInt(text);
}

/** As `parseInt64`, for counts and times; beyond 2^53 the last digits do not matter. */
export const parseInteger = (text: string): number => Number(parseInt64(text));

export function addInt64(a: bigint, b: bigint): bigint {
  if (!isInt64(a + b)) throw new ReplyError('ERR increment or decrement would overflow');
  return a + b;
}

/** A time given in units of `unitMs` from `fromMs` on, in milliseconds; undefined: beyond 64 bits. */
export function timeOf(text: string, unitMs: number, fromMs: number): number | undefined {
  const ms = parseInt64(text) * BigInt(unitMs);
  const at = ms + BigInt(fromMs);
  return isInt64(ms) && isInt64(at) ? Number(at) : undefined;
}
