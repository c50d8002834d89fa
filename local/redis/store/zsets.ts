import { type Reply, ReplyError } from '../reply.ts';
import { arg, type Definitions, pairs, slice, syntaxError } from './command.ts';
import type { Keyspace } from './keyspace.ts';
import { formatScore, parseInteger, parseScore } from './numbers.ts';
import { between, range, sorted } from './zset-range.ts';

const read = (keys: Keyspace, key: string) => keys.read(key, 'zset')?.scores;
const FLAGS = new Set(['NX', 'XX', 'GT', 'LT', 'CH', 'INCR']);

function checkFlags(flags: Set<string>, pairCount: number): void {
  if (flags.has('NX') && flags.has('XX'))
    throw new ReplyError('ERR XX and NX options at the same time are not compatible');
  if (['GT', 'LT', 'NX'].filter((flag) => flags.has(flag)).length > 1)
    throw new ReplyError('ERR GT, LT, and/or NX options at the same time are not compatible');
  if (flags.has('INCR') && pairCount > 1)
    throw new ReplyError('ERR INCR option supports a single increment-element pair');
}

function mayWrite(flags: Set<string>, before: number | undefined, after: number): boolean {
  if (before === undefined) return !flags.has('XX');
  if (flags.has('NX')) return false;
  if (flags.has('GT') && after <= before) return false;
  return !(flags.has('LT') && after >= before);
}

function runAdd(keys: Keyspace, [key = '', ...rest]: string[]): Reply {
  const flagCount = rest.findIndex((word) => !FLAGS.has(word.toUpperCase()));
  const words = flagCount < 0 ? [] : rest.slice(flagCount);
  if (words.length === 0 || words.length % 2 !== 0) throw syntaxError();
  const flags = new Set(rest.slice(0, flagCount).map((word) => word.toUpperCase()));
  const all = pairs(words, 'zadd').map(([score, member]) => [member, parseScore(score)] as const);
  checkFlags(flags, all.length);
  const { scores } = keys.open(key, 'zset');
  let [added, changed] = [0, 0];
  let last: number | undefined;
  for (const [member, score] of all) {
    const before = scores.get(member);
    const after = flags.has('INCR') ? sum(before ?? 0, score) : score;
    if (!mayWrite(flags, before, after)) continue;
    scores.set(member, after);
    last = after;
    if (before === undefined) added += 1;
    else if (before !== after) changed += 1;
  }
  keys.dropIfEmpty(key);
  if (flags.has('INCR')) return last === undefined ? null : formatScore(last);
  return flags.has('CH') ? added + changed : added;
}

function sum(a: number, b: number): number {
  if (Number.isNaN(a + b)) throw new ReplyError('ERR resulting score is not a number (NaN)');
  return a + b;
}

function runIncrBy(keys: Keyspace, [key = '', amount = '', member = '']: string[]): Reply {
  const by = parseScore(amount);
  const after = sum(read(keys, key)?.get(member) ?? 0, by);
  keys.open(key, 'zset').scores.set(member, after);
  return formatScore(after);
}

function remove(keys: Keyspace, key: string, members: string[]): number {
  const scores = read(keys, key);
  const gone = members.filter((member) => scores?.delete(member)).length;
  keys.dropIfEmpty(key);
  return gone;
}

const inRange = (keys: Keyspace, args: string[]) => {
  const inside = between(arg(args, 1), arg(args, 2));
  const all = sorted(read(keys, arg(args, 0)));
  return all.filter(([, score]) => inside(score)).map(([member]) => member);
};

const rank = (rev: boolean) => (keys: Keyspace, args: string[]) => {
  const all = sorted(read(keys, arg(args, 0)));
  const at = (rev ? all.toReversed() : all).findIndex(([member]) => member === arg(args, 1));
  return at < 0 ? null : at;
};

/** https://redis.io/docs/latest/commands/?group=sorted-set */
export const zsetCommands: Definitions = {
  ZADD: { arity: -4, run: runAdd },
  ZINCRBY: { arity: 4, run: runIncrBy },
  ZSCORE: {
    arity: 3,
    run: (keys, args) => {
      const score = read(keys, arg(args, 0))?.get(arg(args, 1));
      return score === undefined ? null : formatScore(score);
    },
  },
  ZCARD: { arity: 2, run: (keys, args) => read(keys, arg(args, 0))?.size ?? 0 },
  ZCOUNT: { arity: 4, run: (keys, args) => inRange(keys, args).length },
  ZRANK: { arity: 3, run: rank(false) },
  ZREVRANK: { arity: 3, run: rank(true) },
  ZREM: { arity: -3, run: (keys, args) => remove(keys, arg(args, 0), args.slice(1)) },
  ZREMRANGEBYSCORE: {
    arity: 4,
    run: (keys, args) => remove(keys, arg(args, 0), inRange(keys, args)),
  },
  ZREMRANGEBYRANK: {
    arity: 4,
    run: (keys, args) => {
      const [from, to] = [parseInteger(arg(args, 1)), parseInteger(arg(args, 2))];
      const chosen = slice(sorted(read(keys, arg(args, 0))), from, to);
      return remove(
        keys,
        arg(args, 0),
        chosen.map(([member]) => member),
      );
    },
  },
  ZRANGE: { arity: -4, run: range({}, ['BYSCORE', 'REV', 'LIMIT', 'WITHSCORES']) },
  ZREVRANGE: { arity: -4, run: range({ rev: true }, ['WITHSCORES']) },
  ZRANGEBYSCORE: { arity: -4, run: range({ byScore: true }, ['LIMIT', 'WITHSCORES']) },
  ZREVRANGEBYSCORE: {
    arity: -4,
    run: range({ byScore: true, rev: true }, ['LIMIT', 'WITHSCORES']),
  },
};
