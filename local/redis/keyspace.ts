import { ReplyError } from './reply.ts';

type Values = {
  string: string;
  hash: Map<string, string>;
  set: Set<string>;
};
type Type = keyof Values;

type Entry = {
  /** Grows with every new key: SCAN's cursor, which deletions do not disturb. */
  id: number;
  type: Type;
  value: Values[Type];
  /** Unix time in milliseconds. */
  expiresAt?: number | undefined;
};

const created: { [T in Type]: () => Values[T] } = {
  string: () => '',
  hash: () => new Map(),
  set: () => new Set(),
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
  read<T extends Type>(key: string, type: T): Values[T] | undefined {
    const entry = this.entry(key);
    if (entry && entry.type !== type)
      throw new ReplyError('WRONGTYPE Operation against a key holding the wrong kind of value');
    return entry?.value as Values[T] | undefined;
  }

  /** As `read`, but an absent key comes into being. Check arguments first. */
  open<T extends Type>(key: string, type: T): Values[T] {
    return this.read(key, type) ?? this.put(key, type, created[type]());
  }

  /** Sets a value and ends its expiry, unless `expiresAt` names one. */
  put<T extends Type>(key: string, type: T, value: Values[T], expiresAt?: number): Values[T] {
    const id = this.#entries.get(key)?.id ?? this.#nextId++;
    this.#entries.set(key, { id, type, value, expiresAt });
    return value;
  }

  delete(key: string): boolean {
    return this.entry(key) !== undefined && this.#entries.delete(key);
  }

  /** Redis keeps no empty collections. */
  dropIfEmpty(key: string): void {
    const value = this.#entries.get(key)?.value;
    if (typeof value === 'object' && value.size === 0) this.#entries.delete(key);
  }

  clear(): void {
    this.#entries.clear();
  }

  /** All living keys, oldest first; the expired ones are freed. */
  living(): [string, Entry][] {
    return [...this.#entries].filter(([key]) => this.entry(key));
  }
}
