import { OK, type Reply, ReplyError } from '../reply.ts';
import { arg, type Definitions, slice, wrongArity } from './command.ts';
import type { Keyspace } from './keyspace.ts';
import { parseInteger } from './numbers.ts';

const read = (keys: Keyspace, args: string[]) => keys.read(arg(args, 0), 'list')?.items;

function push(keys: Keyspace, [key = '', ...values]: string[], left: boolean): number {
  const { items } = keys.open(key, 'list');
  if (left) items.unshift(...values.toReversed());
  else items.push(...values);
  return items.length;
}

function pop(keys: Keyspace, args: string[], left: boolean): Reply {
  if (args.length > 2) throw wrongArity(left ? 'lpop' : 'rpop');
  const items = read(keys, args);
  const given = args[1];
  const count = given === undefined ? 1 : parseInteger(given);
  if (count < 0) throw new ReplyError('ERR value is out of range, must be positive');
  if (!items) return null;
  const taken = left
    ? items.splice(0, count)
    : items.splice(Math.max(0, items.length - count)).toReversed();
  keys.dropIfEmpty(arg(args, 0));
  return given === undefined ? (taken[0] ?? null) : taken;
}

function runRem(keys: Keyspace, args: string[]): Reply {
  const items = read(keys, args);
  const count = parseInteger(arg(args, 1));
  if (!items) return 0;
  const found = [...items.keys()].filter((index) => items[index] === arg(args, 2));
  const chosen = count < 0 ? found.slice(count) : found.slice(0, count || found.length);
  for (const index of chosen.toReversed()) items.splice(index, 1);
  keys.dropIfEmpty(arg(args, 0));
  return chosen.length;
}

const range = (args: string[], at: number): [number, number] => [
  parseInteger(arg(args, at)),
  parseInteger(arg(args, at + 1)),
];

/** https://redis.io/docs/latest/commands/?group=list */
export const listCommands: Definitions = {
  LPUSH: { arity: -3, run: (keys, args) => push(keys, args, true) },
  RPUSH: { arity: -3, run: (keys, args) => push(keys, args, false) },
  LPOP: { arity: -2, run: (keys, args) => pop(keys, args, true) },
  RPOP: { arity: -2, run: (keys, args) => pop(keys, args, false) },
  LLEN: { arity: 2, run: (keys, args) => read(keys, args)?.length ?? 0 },
  LRANGE: {
    arity: 4,
    run: (keys, args) => {
      const [start, stop] = range(args, 1);
      return slice(read(keys, args) ?? [], start, stop);
    },
  },
  LINDEX: {
    arity: 3,
    run: (keys, args) => {
      const index = parseInteger(arg(args, 1));
      return read(keys, args)?.at(index) ?? null;
    },
  },
  LREM: { arity: 4, run: runRem },
  LTRIM: {
    arity: 4,
    run: (keys, args) => {
      const [start, stop] = range(args, 1);
      const items = read(keys, args);
      if (items) items.splice(0, items.length, ...slice(items, start, stop));
      keys.dropIfEmpty(arg(args, 0));
      return OK;
    },
  },
};
