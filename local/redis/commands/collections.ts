import type { Keyspace } from '../keyspace.ts';
import { okStatus, type Reply } from '../reply.ts';
import {
  addInt64,
  type Definitions,
  everyKey,
  pairs,
  parseInt64,
  reading,
  type Run,
  writing,
} from './definition.ts';

const hash = (db: Keyspace, key: string) => db.read(key, 'hash') ?? new Map<string, string>();
const set = (db: Keyspace, key: string) => db.read(key, 'set') ?? new Set<string>();

/** What `change` adds to a collection's size. */
function growth(collection: { readonly size: number }, change: () => void): number {
  const before = collection.size;
  change();
  return collection.size - before;
}

const setFields =
  (name: string) =>
  (db: Keyspace, key: string, ...rest: string[]): number => {
    const all = pairs(rest, name);
    const fields = db.open(key, 'hash');
    return growth(fields, () => all.forEach(([field, value]) => fields.set(field, value)));
  };

function runHIncrBy(db: Keyspace, key: string, field: string, amount: string): Reply {
  const by = parseInt64(amount);
  const before = hash(db, key).get(field) ?? '0';
  const sum = addInt64(parseInt64(before, 'ERR hash value is not an integer'), by);
  db.open(key, 'hash').set(field, String(sum));
  return Number(sum);
}

/** https://redis.io/docs/latest/commands/?group=hash */
export const hashCommands: Definitions = {
  HSET: writing(-4, setFields('hset')),
  HMSET: writing(-4, (db, key: string, ...rest) => {
    setFields('hmset')(db, key, ...rest);
    return okStatus;
  }),
  HSETNX: writing(4, (db, key: string, field: string, value: string) =>
    hash(db, key).has(field) ? 0 : setFields('hsetnx')(db, key, field, value),
  ),
  HGET: reading(3, (db, key: string, field: string) => hash(db, key).get(field) ?? null),
  HMGET: reading(-3, (db, key: string, ...fields) => {
    const all = hash(db, key);
    return fields.map((field) => all.get(field) ?? null);
  }),
  HGETALL: reading(2, (db, key: string) => [...hash(db, key)].flat()),
  HKEYS: reading(2, (db, key: string) => [...hash(db, key).keys()]),
  HVALS: reading(2, (db, key: string) => [...hash(db, key).values()]),
  HLEN: reading(2, (db, key: string) => hash(db, key).size),
  HEXISTS: reading(3, (db, key: string, field: string) => Number(hash(db, key).has(field))),
  HSTRLEN: reading(3, (db, key: string, field: string) => hash(db, key).get(field)?.length ?? 0),
  HDEL: writing(-3, (db, key: string, ...fields) => {
    const all = hash(db, key);
    return fields.filter((field) => all.delete(field)).length;
  }),
  HINCRBY: writing(4, runHIncrBy),
};

const union = (a: Set<string>, b: Set<string>) => new Set([...a, ...b]);
const intersection = (a: Set<string>, b: Set<string>) => new Set([...a].filter((x) => b.has(x)));
const difference = (a: Set<string>, b: Set<string>) => new Set([...a].filter((x) => !b.has(x)));

const combined = (combine: typeof union, db: Keyspace, keys: string[]) =>
  keys.map((key) => set(db, key)).reduce((a, b) => combine(a, b));

const combine =
  (how: typeof union): Run =>
  (db, ...keys) => [...combined(how, db, keys)];

const store =
  (how: typeof union): Run =>
  (db, target: string, ...keys) => {
    const result = combined(how, db, keys);
    db.delete(target);
    return db.put(target, 'set', new Set(result)).size;
  };

/** https://redis.io/docs/latest/commands/?group=set */
export const setCommands: Definitions = {
  SADD: writing(-3, (db, key: string, ...members) => {
    const all = db.open(key, 'set');
    return growth(all, () => members.forEach((member) => all.add(member)));
  }),
  SREM: writing(-3, (db, key: string, ...members) => {
    const all = set(db, key);
    return members.filter((member) => all.delete(member)).length;
  }),
  SMEMBERS: reading(2, (db, key: string) => [...set(db, key)]),
  SISMEMBER: reading(3, (db, key: string, member: string) => Number(set(db, key).has(member))),
  SMISMEMBER: reading(-3, (db, key: string, ...members) => {
    const all = set(db, key);
    return members.map((member) => Number(all.has(member)));
  }),
  SCARD: reading(2, (db, key: string) => set(db, key).size),
  SUNION: reading(-2, combine(union), everyKey),
  SINTER: reading(-2, combine(intersection), everyKey),
  SDIFF: reading(-2, combine(difference), everyKey),
  SUNIONSTORE: writing(-3, store(union), everyKey),
  SINTERSTORE: writing(-3, store(intersection), everyKey),
  SDIFFSTORE: writing(-3, store(difference), everyKey),
};
