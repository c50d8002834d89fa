import { OK, type Reply, ReplyError } from '../reply.ts';
import { arg, type Definitions, pairs, slice, syntaxError } from './command.ts';
import type { Keyspace } from './keyspace.ts';
import { addDecimal, addInt64, negated, parseInt64, parseInteger } from './numbers.ts';

const get = (keys: Keyspace, key: string) => keys.read(key, 'string')?.value;

/** Replaces the value and keeps the expiry, as counters and APPEND do. */
function replace(keys: Keyspace, key: string, value: string): void {
  keys.put(key, { type: 'string', value }, keys.entry(key)?.expiresAt);
}

const set = (keys: Keyspace, key: string, value: string, expiresAt?: number) =>
  keys.put(key, { type: 'string', value }, expiresAt);

/** When a value given in `unit` (EX, PX, EXAT, PXAT) ends, as Unix milliseconds. */
export function expiryAt(unit: string, text: string, command: string): number {
  const value = parseInteger(text);
  const milliseconds = unit.startsWith('EX') ? value * 1000 : value;
  const at = unit.endsWith('AT') ? milliseconds : Date.now() + milliseconds;
  if (value <= 0 || !Number.isSafeInteger(at))
    throw new ReplyError(`ERR invalid expire time in '${command}' command`);
  return at;
}

const UNITS = new Set(['EX', 'PX', 'EXAT', 'PXAT']);
type SetOptions = {
  only?: 'NX' | 'XX';
  get?: boolean;
  keepTtl?: boolean;
  expiresAt?: number;
};

function setOptions(words: string[]): SetOptions {
  const options: SetOptions = {};
  for (let at = 0; at < words.length; at += 1) {
    const word = arg(words, at).toUpperCase();
    const timed = options.keepTtl === true || options.expiresAt !== undefined;
    if ((word === 'NX' || word === 'XX') && (options.only ?? word) === word) options.only = word;
    else if (word === 'GET') options.get = true;
    else if (word === 'KEEPTTL' && !timed) options.keepTtl = true;
    else if (UNITS.has(word) && !timed && at + 1 < words.length)
      options.expiresAt = expiryAt(word, arg(words, (at += 1)), 'set');
    else throw syntaxError();
  }
  return options;
}

function runSet(keys: Keyspace, [key = '', value = '', ...words]: string[]): Reply {
  const options = setOptions(words);
  const existing = keys.entry(key);
  const before = options.get ? (get(keys, key) ?? null) : undefined;
  const refused = (options.only === 'NX' && existing) || (options.only === 'XX' && !existing);
  if (!refused) {
    set(keys, key, value, options.keepTtl ? existing?.expiresAt : options.expiresAt);
    return before === undefined ? OK : before;
  }
  return before ?? null;
}

function setEx(name: string, unit: string) {
  return (keys: Keyspace, args: string[]): Reply => {
    set(keys, arg(args, 0), arg(args, 2), expiryAt(unit, arg(args, 1), name));
    return OK;
  };
}

function runGetEx(keys: Keyspace, [key = '', ...words]: string[]): Reply {
  const [word, value] = [arg(words, 0).toUpperCase(), words[1]];
  const persist = word === 'PERSIST' && words.length === 1;
  const timed = UNITS.has(word) && words.length === 2;
  if (words.length > 0 && !persist && !timed) throw syntaxError();
  const found = get(keys, key);
  const entry = keys.entry(key);
  if (!entry || found === undefined) return null;
  if (persist) entry.expiresAt = undefined;
  if (timed) entry.expiresAt = expiryAt(word, value ?? '', 'getex');
  return found;
}

function add(keys: Keyspace, key: string, amount: bigint): Reply {
  const sum = addInt64(parseInt64(get(keys, key) ?? '0'), amount);
  replace(keys, key, String(sum));
  return Number(sum);
}

function setAll(keys: Keyspace, all: [string, string][]): void {
  for (const [key, value] of all) set(keys, key, value);
}

/** https://redis.io/docs/latest/commands/?group=string */
export const stringCommands: Definitions = {
  GET: { arity: 2, run: (keys, args) => get(keys, arg(args, 0)) ?? null },
  SET: { arity: -3, run: runSet },
  SETEX: { arity: 4, run: setEx('setex', 'EX') },
  PSETEX: { arity: 4, run: setEx('psetex', 'PX') },
  GETEX: { arity: -2, run: runGetEx },
  SETNX: {
    arity: 3,
    run: (keys, args) => {
      if (keys.entry(arg(args, 0))) return 0;
      set(keys, arg(args, 0), arg(args, 1));
      return 1;
    },
  },
  GETSET: {
    arity: 3,
    run: (keys, args) => {
      const before = get(keys, arg(args, 0)) ?? null;
      set(keys, arg(args, 0), arg(args, 1));
      return before;
    },
  },
  GETDEL: {
    arity: 2,
    run: (keys, args) => {
      const before = get(keys, arg(args, 0)) ?? null;
      keys.delete(arg(args, 0));
      return before;
    },
  },
  MGET: {
    arity: -2,
    run: (keys, args) =>
      args.map((key) => {
        const data = keys.entry(key)?.data;
        return data?.type === 'string' ? data.value : null;
      }),
  },
  MSET: {
    arity: -3,
    run: (keys, args) => {
      setAll(keys, pairs(args, 'mset'));
      return OK;
    },
  },
  MSETNX: {
    arity: -3,
    run: (keys, args) => {
      const all = pairs(args, 'msetnx');
      if (all.some(([key]) => keys.entry(key))) return 0;
      setAll(keys, all);
      return 1;
    },
  },
  APPEND: {
    arity: 3,
    run: (keys, args) => {
      const value = (get(keys, arg(args, 0)) ?? '') + arg(args, 1);
      replace(keys, arg(args, 0), value);
      return value.length;
    },
  },
  STRLEN: { arity: 2, run: (keys, args) => get(keys, arg(args, 0))?.length ?? 0 },
  GETRANGE: {
    arity: 4,
    run: (keys, args) => {
      const [start, stop] = [parseInteger(arg(args, 1)), parseInteger(arg(args, 2))];
      return slice((get(keys, arg(args, 0)) ?? '').split(''), start, stop).join('');
    },
  },
  INCR: { arity: 2, run: (keys, args) => add(keys, arg(args, 0), 1n) },
  DECR: { arity: 2, run: (keys, args) => add(keys, arg(args, 0), -1n) },
  INCRBY: { arity: 3, run: (keys, args) => add(keys, arg(args, 0), parseInt64(arg(args, 1))) },
  DECRBY: {
    arity: 3,
    run: (keys, args) => add(keys, arg(args, 0), negated(parseInt64(arg(args, 1)))),
  },
  INCRBYFLOAT: {
    arity: 3,
    run: (keys, args) => {
      const sum = addDecimal(get(keys, arg(args, 0)) ?? '0', arg(args, 1));
      replace(keys, arg(args, 0), sum);
      return sum;
    },
  },
};
