import type { Keyspace } from '../keyspace.ts';
import { ReplyError } from '../reply.ts';
import {
  type Definitions,
  everyKey,
  pairs,
  parseInt64,
  reading,
  type Run,
  syntaxError,
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

function setFields(db: Keyspace, key: string, ...rest: string[]): number {
  const all = pairs(rest, 'hset');
  const fields = db.open(key, 'hash');
  return growth(fields, () => all.forEach(([field, value]) => fields.set(field, value)));
}

/** https://redis.io/docs/latest/commands/?group=hash */
export const hashCommands: Definitions = {
  HSET: writing(-4, setFields),
  HGET: reading(3, (db, key: string, field: string) => hash(db, key).get(field) ?? null),
  HMGET: reading(-3, (db, key: string, ...fields) => {
    const all = hash(db, key);
    return fields.map((field) => all.get(field) ?? null);
  }),
  HGETALL: reading(2, (db, key: string) => [...hash(db, key)].flat()),
  HLEN: reading(2, (db, key: string) => hash(db, key).size),
  HDEL: writing(-3, (db, key: string, ...fields) => {
    const all = hash(db, key);
    return fields.filter((field) => all.delete(field)).length;
  }),
};

const union = (a: Set<string>, b: Set<string>) => new Set([...a, ...b]);
const difference = (a: Set<string>, b: Set<string>) => new Set([...a].filter((x) => !b.has(x)));

const store =
  (how: typeof union): Run =>
  (db, target: string, ...keys) => {
    const result = keys.map((key) => set(db, key)).reduce((a, b) => how(a, b));
    db.delete(target);
    return db.put(target, 'set', new Set(result)).size;
  };

/** Those of the deny list of `@upstash/ratelimit`, and of a job's research. https://redis.io/docs/latest/commands/?group=set */
export const setCommands: Definitions = {
  SADD: writing(-3, (db, key: string, ...members) => {
    const all = db.open(key, 'set');
    return growth(all, () => members.forEach((member) => all.add(member)));
  }),
  /** Redis takes members at random, this the oldest: nobody may rely on either. */
  SPOP: writing(-2, (db, key: string, count?: string, ...more) => {
    if (more.length > 0) throw syntaxError();
    const problem = 'ERR value is out of range, must be positive';
    const most = count === undefined ? 1 : Number(parseInt64(count, problem));
    if (most < 0) throw new ReplyError(problem);
    const all = set(db, key);
    const popped = [...all].slice(0, most);
    for (const member of popped) all.delete(member);
    return count === undefined ? (popped[0] ?? null) : popped;
  }),
  SMISMEMBER: reading(-3, (db, key: string, ...members) => {
    const all = set(db, key);
    return members.map((member) => Number(all.has(member)));
  }),
  SUNIONSTORE: writing(-3, store(union), everyKey),
  SDIFFSTORE: writing(-3, store(difference), everyKey),
};
