import { OK, type Reply } from '../reply.ts';
import { arg, type Definitions, pairs } from './command.ts';
import type { Keyspace } from './keyspace.ts';
import { addDecimal, addInt64, parseInt64 } from './numbers.ts';

const read = (keys: Keyspace, args: string[]) => keys.read(arg(args, 0), 'hash')?.fields;

function write(keys: Keyspace, [key = '', ...rest]: string[], name: string): number {
  const all = pairs(rest, name);
  const { fields } = keys.open(key, 'hash');
  const before = fields.size;
  for (const [field, value] of all) fields.set(field, value);
  return fields.size - before;
}

function runIncrBy(keys: Keyspace, [key = '', field = '', amount = '']: string[]): Reply {
  const by = parseInt64(amount);
  const before = keys.read(key, 'hash')?.fields.get(field) ?? '0';
  const sum = addInt64(parseInt64(before, 'ERR hash value is not an integer'), by);
  keys.open(key, 'hash').fields.set(field, String(sum));
  return Number(sum);
}

function runIncrByFloat(keys: Keyspace, [key = '', field = '', amount = '']: string[]): Reply {
  const before = keys.read(key, 'hash')?.fields.get(field) ?? '0';
  const sum = addDecimal(before, amount, 'ERR hash value is not a float');
  keys.open(key, 'hash').fields.set(field, sum);
  return sum;
}

/** https://redis.io/docs/latest/commands/?group=hash */
export const hashCommands: Definitions = {
  HSET: { arity: -4, run: (keys, args) => write(keys, args, 'hset') },
  HMSET: {
    arity: -4,
    run: (keys, args) => {
      write(keys, args, 'hmset');
      return OK;
    },
  },
  HSETNX: {
    arity: 4,
    run: (keys, args) => (read(keys, args)?.has(arg(args, 1)) ? 0 : write(keys, args, 'hsetnx')),
  },
  HGET: { arity: 3, run: (keys, args) => read(keys, args)?.get(arg(args, 1)) ?? null },
  HMGET: {
    arity: -3,
    run: (keys, args) => {
      const fields = read(keys, args);
      return args.slice(1).map((field) => fields?.get(field) ?? null);
    },
  },
  HGETALL: { arity: 2, run: (keys, args) => [...(read(keys, args) ?? [])].flat() },
  HKEYS: { arity: 2, run: (keys, args) => [...(read(keys, args)?.keys() ?? [])] },
  HVALS: { arity: 2, run: (keys, args) => [...(read(keys, args)?.values() ?? [])] },
  HLEN: { arity: 2, run: (keys, args) => read(keys, args)?.size ?? 0 },
  HEXISTS: { arity: 3, run: (keys, args) => (read(keys, args)?.has(arg(args, 1)) ? 1 : 0) },
  HSTRLEN: { arity: 3, run: (keys, args) => read(keys, args)?.get(arg(args, 1))?.length ?? 0 },
  HDEL: {
    arity: -3,
    run: (keys, args) => {
      const fields = read(keys, args);
      const gone = args.slice(1).filter((field) => fields?.delete(field)).length;
      keys.dropIfEmpty(arg(args, 0));
      return gone;
    },
  },
  HINCRBY: { arity: 4, run: runIncrBy },
  HINCRBYFLOAT: { arity: 4, run: runIncrByFloat },
};
