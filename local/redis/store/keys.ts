import { OK, type Reply, ReplyError, Status } from '../reply.ts';
import { arg, type Definitions, globTest, type Run, syntaxError, wrongArity } from './command.ts';
import type { Entry, Keyspace } from './keyspace.ts';
import { parseInteger } from './numbers.ts';

function checkConditions(words: string[]): Set<string> {
  const unknown = words.find((word) => !/^(?:NX|XX|GT|LT)$/i.test(word));
  if (unknown !== undefined) throw new ReplyError(`ERR Unsupported option ${unknown}`);
  const given = new Set(words.map((word) => word.toUpperCase()));
  if (given.has('NX') && given.size > 1)
    throw new ReplyError('ERR NX and XX, GT or LT options at the same time are not compatible');
  if (given.has('GT') && given.has('LT'))
    throw new ReplyError('ERR GT and LT options at the same time are not compatible');
  return given;
}

function allowed(given: Set<string>, entry: Entry, at: number): boolean {
  const now = entry.expiresAt;
  if (given.has('NX') && now !== undefined) return false;
  if (given.has('XX') && now === undefined) return false;
  // A key without expiry counts as never ending.
  if (given.has('GT') && at <= (now ?? Infinity)) return false;
  return !(given.has('LT') && at >= (now ?? Infinity));
}

/** EXPIRE and its kin; a time in the past deletes the key. */
function expire(name: string, unitMs: number, absolute: boolean): Run {
  return (keys, [key = '', time = '', ...words]) => {
    const value = parseInteger(time) * unitMs;
    const at = absolute ? value : Date.now() + value;
    if (!Number.isSafeInteger(at))
      throw new ReplyError(`ERR invalid expire time in '${name}' command`);
    const given = checkConditions(words);
    const entry = keys.entry(key);
    if (!entry || !allowed(given, entry, at)) return 0;
    entry.expiresAt = at;
    keys.entry(key);
    return 1;
  };
}

function ttl(keys: Keyspace, key: string, unitMs: number): number {
  const entry = keys.entry(key);
  if (!entry) return -2;
  if (entry.expiresAt === undefined) return -1;
  const left = entry.expiresAt - Date.now();
  return unitMs === 1 ? Math.max(0, left) : Math.max(0, Math.floor((left + 500) / unitMs));
}

function runScan(keys: Keyspace, [cursor = '', ...words]: string[]): Reply {
  if (!/^\d+$/.test(cursor)) throw new ReplyError('ERR invalid cursor');
  let count = 10;
  let matches: (key: string) => boolean = () => true;
  let type: string | undefined;
  for (let at = 0; at < words.length; at += 2) {
    const [word, value] = [arg(words, at).toUpperCase(), words[at + 1]];
    if (value === undefined) throw syntaxError();
    if (word === 'COUNT') count = parseInteger(value);
    else if (word === 'MATCH') matches = globTest(value);
    else if (word === 'TYPE') type = value.toLowerCase();
    else throw syntaxError();
  }
  if (count < 1) throw syntaxError();
  const found: string[] = [];
  let seen = 0;
  for (const [key, { id, data }] of keys.living()) {
    if (id <= Number(cursor)) continue;
    if (matches(key) && (type === undefined || data.type === type)) found.push(key);
    seen += 1;
    if (seen === count) return [lastId(keys) === id ? '0' : String(id), found];
  }
  return ['0', found];
}

function lastId(keys: Keyspace): number {
  let last = 0;
  for (const [, { id }] of keys.living()) last = id;
  return last;
}

const count = (args: string[], test: (key: string) => boolean) => args.filter(test).length;

function runRename(keys: Keyspace, [from = '', to = '']: string[]): Reply {
  const entry = keys.entry(from);
  if (!entry) throw new ReplyError('ERR no such key');
  keys.delete(from);
  keys.delete(to);
  keys.put(to, entry.data, entry.expiresAt);
  return OK;
}

const flush: Run = (keys, args) => {
  const mode = args[0]?.toUpperCase() ?? 'SYNC';
  if (args.length > 1 || !['SYNC', 'ASYNC'].includes(mode)) throw syntaxError();
  keys.clear();
  return OK;
};

const remove: Run = (keys, args) => count(args, (key) => keys.delete(key));
const exists: Run = (keys, args) => count(args, (key) => keys.entry(key) !== undefined);

/** https://redis.io/docs/latest/commands/?group=generic */
export const keyCommands: Definitions = {
  DEL: { arity: -2, run: remove },
  UNLINK: { arity: -2, run: remove },
  EXISTS: { arity: -2, run: exists },
  TOUCH: { arity: -2, run: exists },
  EXPIRE: { arity: -3, run: expire('expire', 1000, false) },
  PEXPIRE: { arity: -3, run: expire('pexpire', 1, false) },
  EXPIREAT: { arity: -3, run: expire('expireat', 1000, true) },
  PEXPIREAT: { arity: -3, run: expire('pexpireat', 1, true) },
  TTL: { arity: 2, run: (keys, args) => ttl(keys, arg(args, 0), 1000) },
  PTTL: { arity: 2, run: (keys, args) => ttl(keys, arg(args, 0), 1) },
  PERSIST: {
    arity: 2,
    run: (keys, args) => {
      const entry = keys.entry(arg(args, 0));
      if (entry?.expiresAt === undefined) return 0;
      entry.expiresAt = undefined;
      return 1;
    },
  },
  TYPE: {
    arity: 2,
    run: (keys, args) => new Status(keys.entry(arg(args, 0))?.data.type ?? 'none'),
  },
  RENAME: { arity: 3, run: runRename },
  KEYS: {
    arity: 2,
    run: (keys, args) => {
      const matches = globTest(arg(args, 0));
      return [...keys.living()].map(([key]) => key).filter(matches);
    },
  },
  SCAN: { arity: -2, run: runScan },
  DBSIZE: { arity: 1, run: (keys) => keys.sweep() },
  FLUSHALL: { arity: -1, run: flush },
  FLUSHDB: { arity: -1, run: flush },
  PING: {
    arity: -1,
    run: (_, args) => {
      if (args.length > 1) throw wrongArity('ping');
      return args[0] ?? new Status('PONG');
    },
  },
  ECHO: { arity: 2, run: (_, args) => arg(args, 0) },
  TIME: {
    arity: 1,
    run: () => {
      const micros = Math.floor((performance.timeOrigin + performance.now()) * 1000);
      return [String(Math.floor(micros / 1_000_000)), String(micros % 1_000_000)];
    },
  },
};
