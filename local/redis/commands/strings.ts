import type { Keyspace } from '../keyspace.ts';
import { okStatus, type Reply, ReplyError } from '../reply.ts';
import {
  addInt64,
  type Definitions,
  evenKeys,
  everyKey,
  pairs,
  parseInt64,
  parseInteger,
  reading,
  type Run,
  syntaxError,
  timeOf,
  writing,
} from './definition.ts';

const get = (db: Keyspace, key: string) => db.read(key, 'string');

/** Replaces the value and keeps the expiry, as counters and APPEND do. */
const replace = (db: Keyspace, key: string, value: string) =>
  db.put(key, 'string', value, db.entry(key)?.expiresAt);

/** When EX, PX, EXAT or PXAT let a key expire (ms since 1970). */
function expiryAt(unit: string, text: string, name: string): number {
  const unitMs = unit.startsWith('P') ? 1 : 1000;
  const at = timeOf(text, unitMs, unit.endsWith('AT') ? 0 : Date.now());
  if (at === undefined || parseInteger(text) <= 0)
    throw new ReplyError(`ERR invalid expire time in '${name}' command`);
  return at;
}

/** The options of SET or GETEX; at most one of them says how long the key lives. */
function optionsOf(words: string[], flags: string[]) {
  const given = new Set<string>();
  let life: [unit: string, time: string] | undefined;
  for (let at = 0; at < words.length; at += 1) {
    const [word = '', next] = [words[at]?.toUpperCase(), words[at + 1]];
    if (flags.includes(word)) given.add(word);
    else if (/^[EP]X(?:AT)?$/.test(word) && next !== undefined && !life) {
      life = [word, next];
      at += 1;
    } else throw syntaxError();
  }
  const lives = Number(given.has('KEEPTTL')) + Number(given.has('PERSIST')) + Number(!!life);
  if (lives > 1 || (given.has('NX') && given.has('XX'))) throw syntaxError();
  return { given, life };
}

function runSet(db: Keyspace, key: string, value: string, ...words: string[]): Reply {
  const { given, life } = optionsOf(words, ['NX', 'XX', 'GET', 'KEEPTTL']);
  const expiresAt = life && expiryAt(...life, 'set');
  const before = given.has('GET') ? (get(db, key) ?? null) : undefined;
  const entry = db.entry(key);
  if (given.has(entry ? 'NX' : 'XX')) return before ?? null;
  const kept = given.has('KEEPTTL') ? entry?.expiresAt : undefined;
  db.put(key, 'string', value, expiresAt ?? kept);
  return before === undefined ? okStatus : before;
}

const setEx =
  (name: string, unit: string): Run =>
  (db, key: string, time: string, value: string) => {
    db.put(key, 'string', value, expiryAt(unit, time, name));
    return okStatus;
  };

function runGetEx(db: Keyspace, key: string, ...words: string[]): Reply {
  const { given, life } = optionsOf(words, ['PERSIST']);
  const [value, entry] = [get(db, key), db.entry(key)];
  if (!entry || value === undefined) return null;
  if (life) entry.expiresAt = expiryAt(...life, 'getex');
  if (given.has('PERSIST')) entry.expiresAt = undefined;
  return value;
}

function add(db: Keyspace, key: string, amount: bigint): Reply {
  const sum = addInt64(parseInt64(get(db, key) ?? '0'), amount);
  replace(db, key, String(sum));
  return Number(sum);
}

function negated(text: string): bigint {
  const value = -parseInt64(text);
  if (value === 2n ** 63n) throw new ReplyError('ERR decrement would overflow');
  return value;
}

/** Bytes from one place to another, both included; negative ones count from the end. */
function getRange(value: string, from: number, to: number): string {
  // Two places before the value, in the wrong order, are nothing even of what begins it.
  if (from < 0 && to < 0 && from > to) return '';
  const place = (at: number) => Math.max(0, at < 0 ? value.length + at : at);
  return value.slice(place(from), place(to) + 1);
}

const setAll = (db: Keyspace, all: [string, string][]) =>
  all.forEach(([key, value]) => db.put(key, 'string', value));

/** https://redis.io/docs/latest/commands/?group=string */
export const stringCommands: Definitions = {
  GET: reading(2, (db, key: string) => get(db, key) ?? null),
  SET: writing(-3, runSet),
  SETEX: writing(4, setEx('setex', 'EX')),
  PSETEX: writing(4, setEx('psetex', 'PX')),
  SETNX: writing(3, (db, key: string, value: string) =>
    runSet(db, key, value, 'NX') === okStatus ? 1 : 0,
  ),
  GETSET: writing(3, (db, key: string, value: string) => runSet(db, key, value, 'GET')),
  GETEX: writing(-2, runGetEx),
  GETDEL: writing(2, (db, key: string) => {
    const before = get(db, key) ?? null;
    db.delete(key);
    return before;
  }),
  MGET: reading(
    -2,
    (db, ...keys) =>
      keys.map((key) => (db.entry(key)?.type === 'string' ? (get(db, key) ?? null) : null)),
    everyKey,
  ),
  MSET: writing(
    -3,
    (db, ...args) => {
      setAll(db, pairs(args, 'mset'));
      return okStatus;
    },
    evenKeys,
  ),
  MSETNX: writing(
    -3,
    (db, ...args) => {
      const all = pairs(args, 'msetnx');
      if (all.some(([key]) => db.entry(key))) return 0;
      setAll(db, all);
      return 1;
    },
    evenKeys,
  ),
  APPEND: writing(
    3,
    (db, key: string, tail: string) => replace(db, key, (get(db, key) ?? '') + tail).length,
  ),
  STRLEN: reading(2, (db, key: string) => get(db, key)?.length ?? 0),
  GETRANGE: reading(4, (db, key: string, first: string, last: string) => {
    const [from, to] = [parseInteger(first), parseInteger(last)];
    const value = get(db, key) ?? '';
    return getRange(value, from, to);
  }),
  INCR: writing(2, (db, key: string) => add(db, key, 1n)),
  DECR: writing(2, (db, key: string) => add(db, key, -1n)),
  INCRBY: writing(3, (db, key: string, amount: string) => add(db, key, parseInt64(amount))),
  DECRBY: writing(3, (db, key: string, amount: string) => add(db, key, negated(amount))),
};
