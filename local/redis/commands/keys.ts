import type { Keyspace } from '../keyspace.ts';
import { okStatus, type Reply, ReplyError, Status } from '../reply.ts';
import {
  type Definitions,
  everyKey,
  noKeys,
  parseInteger,
  reading,
  type Run,
  syntaxError,
  timeOf,
  writing,
  wrongArity,
} from './definition.ts';

/** What EXPIRE's options ask of the time until now (∞: none) and the new one. */
const conditions = new Map([
  ['NX', (until: number) => until === Infinity],
  ['XX', (until: number) => until < Infinity],
  ['GT', (until: number, at: number) => at > until],
  ['LT', (until: number, at: number) => at < until],
]);

function conditionsOf(words: string[]) {
  const given = new Set(words.map((word) => word.toUpperCase()));
  const unknown = words.find((word) => !conditions.has(word.toUpperCase()));
  if (unknown !== undefined) throw new ReplyError(`ERR Unsupported option ${unknown}`);
  if (given.has('NX') && given.size > 1)
    throw new ReplyError('ERR NX and XX, GT or LT options at the same time are not compatible');
  if (given.has('GT') && given.has('LT'))
    throw new ReplyError('ERR GT and LT options at the same time are not compatible');
  return [...given].map((word) => conditions.get(word));
}

/** EXPIRE and its kin; a time in the past deletes the key. */
const expire =
  (name: string, unitMs: number, from: () => number): Run =>
  (db, key: string, time: string, ...words) => {
    const given = conditionsOf(words);
    const at = timeOf(time, unitMs, from());
    if (at === undefined) throw new ReplyError(`ERR invalid expire time in '${name}' command`);
    const entry = db.entry(key);
    if (!entry || !given.every((allows) => allows?.(entry.expiresAt ?? Infinity, at))) return 0;
    entry.expiresAt = at;
    return 1;
  };

const timeLeft =
  (unitMs: number): Run =>
  (db, key: string) => {
    const entry = db.entry(key);
    if (!entry) return -2;
    if (entry.expiresAt === undefined) return -1;
    return Math.max(0, Math.round((entry.expiresAt - Date.now()) / unitMs));
  };

/** The parts of a glob: an escaped character, a class (`^` and members apart), any other character. */
const globPart = /\\[^]|\[(\^?)((?:\\[^]|[^\]]-[^]|[^\]])*)\]?|[^]/g;
/** The members of a class: an escaped character, a range in either direction, any other character. */
const classMember = /\\([^])|([^])-([^])|[^]/g;

/**
 * Redis' glob as a test: `*`, `?`, `[a-z]`, `[^a]`, and a backslash before a literal. A class may lack
 * its end. Only `*` alone and nothing at all fit the empty key.
 */
function globTest(pattern: string): (text: string) => boolean {
  const code = (char: string) => String.raw`\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`;
  const member = (part: string, escaped?: string, first?: string, last?: string) =>
    first !== undefined && last !== undefined
      ? [code(first), code(last)].toSorted().join('-')
      : code(escaped ?? part);
  const source = pattern.replaceAll(globPart, (part, not?: string, members?: string) => {
    if (members !== undefined) return `[${not}${members.replaceAll(classMember, member)}]`;
    if (part === '*') return '[^]*';
    return part === '?' ? '[^]' : code(part.slice(-1));
  });
  const compiled = new RegExp(`^${source}$`);
  return (text) => (text === '' ? pattern === '' || pattern === '*' : compiled.test(text));
}

function runScan(db: Keyspace, cursor: string, ...words: string[]): Reply {
  if (!/^\d+$/.test(cursor)) throw new ReplyError('ERR invalid cursor');
  let [count, type] = [10, ''];
  let matches: (key: string) => boolean = () => true;
  for (let at = 0; at < words.length; at += 2) {
    const [word, value] = [words[at]?.toUpperCase(), words[at + 1]];
    if (word === 'COUNT' && value !== undefined) count = parseInteger(value);
    else if (word === 'MATCH' && value !== undefined) matches = globTest(value);
    else if (word === 'TYPE' && value !== undefined) type = value.toLowerCase();
    else throw syntaxError();
  }
  if (count < 1) throw syntaxError();
  const rest = db.living().filter(([, { id }]) => id > Number(cursor));
  const page = rest.slice(0, count);
  const next = rest.length > count ? page.at(-1)?.[1].id : 0;
  const found = page.filter(([key, entry]) => matches(key) && (!type || entry.type === type));
  return [String(next), found.map(([key]) => key)];
}

const flush = {
  ...writing(-1, (db, mode = 'SYNC', ...more) => {
    if (more.length > 0 || !/^a?sync$/i.test(mode)) throw syntaxError();
    db.clear();
    return okStatus;
  }),
  keysOf: undefined,
};

const remove: Run = (db, ...keys) => keys.filter((key) => db.delete(key)).length;
const exists: Run = (db, ...keys) => keys.filter((key) => db.entry(key)).length;
const now = () => Date.now();

/** https://redis.io/docs/latest/commands/?group=generic, and what is about no key. */
export const keyCommands: Definitions = {
  DEL: writing(-2, remove, everyKey),
  EXISTS: reading(-2, exists, everyKey),
  EXPIRE: writing(-3, expire('expire', 1000, now)),
  PEXPIRE: writing(-3, expire('pexpire', 1, now)),
  TTL: reading(2, timeLeft(1000)),
  PTTL: reading(2, timeLeft(1)),
  KEYS: reading(
    2,
    (db, pattern: string) =>
      db
        .living()
        .map(([key]) => key)
        .filter(globTest(pattern)),
    noKeys,
  ),
  SCAN: reading(-2, runScan, noKeys),
  DBSIZE: reading(1, (db) => db.living().length, noKeys),
  FLUSHALL: flush,
  PING: reading(
    -1,
    (_, ...args) => {
      if (args.length > 1) throw wrongArity('ping');
      return args[0] ?? new Status('PONG');
    },
    noKeys,
  ),
  TIME: reading(
    1,
    () => {
      const micros = Math.floor((performance.timeOrigin + performance.now()) * 1000);
      return [String(Math.floor(micros / 1_000_000)), String(micros % 1_000_000)];
    },
    noKeys,
  ),
};
