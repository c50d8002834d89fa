import { ReplyError } from '../reply.ts';

/** A Lua value. Strings are byte strings, `undefined` is nil. */
export type LuaValue = undefined | boolean | number | string | LuaTable | LuaFunction;
export type LuaFunction = (args: LuaValue[], line: number) => LuaValue[];

/**
 * An error in a running script: what `error()` was given, or Redis' table `{err=…}`, and the line
 * where it happened.
 */
export class LuaError extends ReplyError {
  readonly value: LuaValue;
  readonly line: number | undefined;
  constructor(value: LuaValue, line?: number) {
    super(messageOf(value));
    this.value = value;
    this.line = line;
  }
}

function messageOf(value: LuaValue): string {
  const error = value instanceof LuaTable ? value.get('err') : undefined;
  return typeof error === 'string' ? error : `ERR ${textOf(value)}`;
}

/** A Lua table: 1…n in an array, everything else in a map. */
export class LuaTable {
  #items: LuaValue[] = [];
  #rest = new Map<LuaValue, LuaValue>();

  static of(items: LuaValue[]): LuaTable {
    const table = new LuaTable();
    for (const [index, item] of items.entries()) table.set(index + 1, item);
    return table;
  }

  static named(fields: Record<string, LuaValue>): LuaTable {
    const table = new LuaTable();
    for (const [key, value] of Object.entries(fields)) table.set(key, value);
    return table;
  }

  /** `#t`: the n of 1…n without a gap. */
  get length(): number {
    return this.#items.length;
  }

  get(key: LuaValue): LuaValue {
    const inArray = typeof key === 'number' && key >= 1 && key <= this.#items.length;
    return inArray && Number.isInteger(key) ? this.#items[key - 1] : this.#rest.get(key);
  }

  set(key: LuaValue, value: LuaValue): void {
    const size = this.#items.length;
    const isIndex = typeof key === 'number' && Number.isInteger(key) && key >= 1;
    if (isIndex && key <= size) this.#setItem(key, value);
    else if (isIndex && key === size + 1 && value !== undefined) {
      this.#rest.delete(key);
      this.#items.push(value);
      this.#adopt();
    } else if (value === undefined) this.#rest.delete(key);
    else this.#rest.set(key, value);
  }

  #setItem(key: number, value: LuaValue): void {
    if (value !== undefined) {
      this.#items[key - 1] = value;
      return;
    }
    // A hole: what stands behind it is no longer part of 1…n.
    const behind = this.#items.splice(key - 1).slice(1);
    for (const [index, item] of behind.entries()) this.#rest.set(key + 1 + index, item);
  }

  #adopt(): void {
    for (let next = this.#items.length + 1; this.#rest.has(next); next += 1) {
      this.#items.push(this.#rest.get(next));
      this.#rest.delete(next);
    }
  }

  entries(): [LuaValue, LuaValue][] {
    return [
      ...this.#items.map((item, index): [LuaValue, LuaValue] => [index + 1, item]),
      ...this.#rest,
    ];
  }
}

export const isTrue = (value: LuaValue): boolean => value !== undefined && value !== false;

export function typeOf(value: LuaValue): string {
  if (value === undefined) return 'nil';
  return value instanceof LuaTable ? 'table' : typeof value;
}

/** C's `%.{precision}g`: Lua writes numbers with 14 digits, Redis passes them on with 17. */
export function formatNumber(value: number, precision: number): string {
  if (Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf';
  const [mantissa = '', exponentText = '0'] = value.toExponential(precision - 1).split('e');
  const exponent = Number(exponentText);
  const trim = (text: string) => (text.includes('.') ? text.replace(/\.?0+$/, '') : text);
  if (exponent >= -4 && exponent < precision)
    return trim(value.toFixed(Math.max(0, precision - 1 - exponent)));
  const sign = exponent < 0 ? '-' : '+';
  return `${trim(mantissa)}e${sign}${String(Math.abs(exponent)).padStart(2, '0')}`;
}

/** A string as a number, as arithmetic and `tonumber` read it; undefined when it is none. */
export function numberOf(value: LuaValue): number | undefined {
  if (typeof value === 'number') return value;
  if (typeof value !== 'string') return undefined;
  const text = value.trim();
  if (/^[+-]?0x[0-9a-f]+$/i.test(text))
    return text.startsWith('-') ? -Number(text.slice(1)) : Number(text.replace('+', ''));
  const isDecimal = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i.test(text);
  return isDecimal ? Number(text) : undefined;
}

export function textOf(value: LuaValue): string {
  if (typeof value === 'string') return value;
  if (Object.is(value, -0)) return '-0';
  if (typeof value === 'number') return formatNumber(value, 14);
  if (value === undefined || typeof value === 'boolean') return String(value ?? 'nil');
  return `${typeOf(value)}: 0x0`;
}
