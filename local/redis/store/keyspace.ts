import { ReplyError } from '../reply.ts';

export type Value =
  | { type: 'string'; value: string }
  | { type: 'hash'; fields: Map<string, string> }
  | { type: 'list'; items: string[] }
  | { type: 'set'; members: Set<string> }
  | { type: 'zset'; scores: Map<string, number> };
export type Entry = {
  /** Grows with every new key: SCAN's cursor, which deletions do not disturb. */
  id: number;
  data: Value;
  /** Unix time in milliseconds. */
  expiresAt?: number | undefined;
};
type Of<T extends Value['type']> = Extract<Value, { type: T }>;

const empty: { [T in Value['type']]: () => Of<T> } = {
  string: () => ({ type: 'string', value: '' }),
  hash: () => ({ type: 'hash', fields: new Map() }),
  list: () => ({ type: 'list', items: [] }),
  set: () => ({ type: 'set', members: new Set() }),
  zset: () => ({ type: 'zset', scores: new Map() }),
};

const sizeOf = (data: Value): number => {
  if (data.type === 'string') return 1;
  if (data.type === 'hash') return data.fields.size;
  if (data.type === 'list') return data.items.length;
  return data.type === 'set' ? data.members.size : data.scores.size;
};

/** The keys and their values; expired ones are gone the moment anybody looks. */
export class Keyspace {
  #entries = new Map<string, Entry>();
  #nextId = 1;

  entry(key: string): Entry | undefined {
    const entry = this.#entries.get(key);
    if (entry?.expiresAt === undefined || entry.expiresAt > Date.now()) return entry;
    this.#entries.delete(key);
    return undefined;
  }

  /** The value of a type, undefined when absent; throws WRONGTYPE for another type. */
  read<T extends Value['type']>(key: string, type: T): Of<T> | undefined {
    const data = this.entry(key)?.data;
    if (data && data.type !== type)
      throw new ReplyError('WRONGTYPE Operation against a key holding the wrong kind of value');
    return data as Of<T> | undefined;
  }

  /** As `read`, but an absent key comes into being. Check arguments first. */
  open<T extends Value['type']>(key: string, type: T): Of<T> {
    const found = this.read(key, type);
    if (found) return found;
    const data = empty[type]();
    this.put(key, data);
    return data;
  }

  /** Sets a value and ends its expiry, unless `expiresAt` names one. */
  put(key: string, data: Value, expiresAt?: number): void {
    const id = this.#entries.get(key)?.id ?? this.#nextId++;
    this.#entries.set(key, { id, data, expiresAt });
  }

  delete(key: string): boolean {
    return this.entry(key) !== undefined && this.#entries.delete(key);
  }

  /** Redis keeps no empty collections. */
  dropIfEmpty(key: string): void {
    const entry = this.entry(key);
    if (entry && sizeOf(entry.data) === 0) this.#entries.delete(key);
  }

  clear(): void {
    this.#entries.clear();
  }

  /** All living keys, oldest first. */
  *living(): Generator<[string, Entry]> {
    const now = Date.now();
    for (const [key, entry] of this.#entries) {
      if (entry.expiresAt !== undefined && entry.expiresAt <= now) this.#entries.delete(key);
      else yield [key, entry];
    }
  }

  /** Frees what has expired; returns how many keys live. */
  sweep(): number {
    let count = 0;
    for (const _ of this.living()) count += 1;
    return count;
  }
}
