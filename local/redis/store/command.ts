import { type Reply, ReplyError } from '../reply.ts';
import type { Keyspace } from './keyspace.ts';

/** A command of the built-in store; `args` are without its name. It throws `ReplyError`. */
export type Run = (keys: Keyspace, args: string[]) => Reply;
/** `arity` as in Redis: counts the name; a negative one is a minimum. */
export type Definition = { arity: number; run: Run };
export type Definitions = Record<string, Definition>;

export const syntaxError = (): ReplyError => new ReplyError('ERR syntax error');

export const wrongArity = (name: string): ReplyError =>
  new ReplyError(`ERR wrong number of arguments for '${name.toLowerCase()}' command`);

/** An argument that arity promises. */
export const arg = (args: string[], index: number): string => args[index] ?? '';

/** `a 1 b 2` as pairs; an odd count is an arity error. */
export function pairs(args: string[], name: string): [string, string][] {
  if (args.length % 2 !== 0) throw wrongArity(name);
  const result: [string, string][] = [];
  for (let at = 0; at < args.length; at += 2) result.push([arg(args, at), arg(args, at + 1)]);
  return result;
}

/** Items `start` to `stop`, both inclusive, negative ones counted from the end. */
export function slice<T>(items: T[], start: number, stop: number): T[] {
  const from = start < 0 ? Math.max(0, items.length + start) : start;
  const to = stop < 0 ? items.length + stop : stop;
  return items.slice(from, Math.max(from, to + 1));
}

/** Redis' glob as a test: `*`, `?`, `[a-z]`, `[^a]`, and a backslash before a literal. */
export function globTest(pattern: string): (text: string) => boolean {
  let source = '';
  for (let at = 0; at < pattern.length; at += 1) {
    const char = pattern.charAt(at);
    const end = char === '[' ? pattern.indexOf(']', at + 2) : -1;
    if (char === '*') source += '[^]*';
    else if (char === '?') source += '[^]';
    else if (end > 0) {
      source += `[${pattern.slice(at + 1, end).replaceAll(/[\\[\]]/g, String.raw`\$&`)}]`;
      at = end;
    } else {
      if (char === '\\' && at + 1 < pattern.length) at += 1;
      source += pattern.charAt(at).replaceAll(/[\\^$.*+?()[\]{}|/]/g, String.raw`\$&`);
    }
  }
  const compiled = new RegExp(`^${source}$`);
  return (text) => compiled.test(text);
}
