import type { Keyspace } from '../keyspace.ts';
import { okStatus, type Reply, ReplyError } from '../reply.ts';
import {
  addInt64,
  type Definitions,
  everyKey,
  parseInt64,
  parseInteger,
  reading,
  syntaxError,
  timeOf,
  writing,
} from './definition.ts';

const get = (db: Keyspace, key: string) => db.read(key, 'string');

/** Replaces the value and keeps the expiry, as counters do. */
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

/** The options of SET; at most one of them says how long the key lives. */
function optionsOf(words: string[]) {
  const given = new Set<string>();
  let life: [unit: string, time: string] | undefined;
  for (let at = 0; at < words.length; at += 1) {
    const [word = '', next] = [words[at]?.toUpperCase(), words[at + 1]];
    if (['NX', 'XX', 'GET', 'KEEPTTL'].includes(word)) given.add(word);
    else if (/^[EP]X(?:AT)?$/.test(word) && next !== undefined && !life) {
      life = [word, next];
      at += 1;
    } else throw syntaxError();
  }
  if ((given.has('KEEPTTL') && life) || (given.has('NX') && given.has('XX'))) throw syntaxError();
  return { given, life };
}

function runSet(db: Keyspace, key: string, value: string, ...words: string[]): Reply {
  const { given, life } = optionsOf(words);
  const expiresAt = life && expiryAt(...life, 'set');
  const before = given.has('GET') ? (get(db, key) ?? null) : undefined;
  const entry = db.entry(key);
  if (given.has(entry ? 'NX' : 'XX')) return before ?? null;
  const kept = given.has('KEEPTTL') ? entry?.expiresAt : undefined;
  db.put(key, 'string', value, expiresAt ?? kept);
  return before === undefined ? okStatus : before;
}

function add(db: Keyspace, key: string, amount: bigint): Reply {
  const sum = addInt64(parseInt64(get(db, key) ?? '0'), amount);
  replace(db, key, String(sum));
  return Number(sum);
}

/** https://redis.io/docs/latest/commands/?group=string */
export const stringCommands: Definitions = {
  GET: reading(2, (db, key: string) => get(db, key) ?? null),
  SET: writing(-3, runSet),
  SETEX: writing(4, (db, key: string, time: string, value: string) => {
    db.put(key, 'string', value, expiryAt('EX', time, 'setex'));
    return okStatus;
  }),
  MGET: reading(
    -2,
    (db, ...keys) =>
      keys.map((key) => (db.entry(key)?.type === 'string' ? (get(db, key) ?? null) : null)),
    everyKey,
  ),
  INCR: writing(2, (db, key: string) => add(db, key, 1n)),
  INCRBY: writing(3, (db, key: string, amount: string) => add(db, key, parseInt64(amount))),
};
