import { failAt } from './operators.ts';
import { formatNumber, LuaTable, type LuaValue, numberOf, textOf } from './values.ts';

/** Start and end of `string.sub` as JavaScript's slice takes them. */
function sub([value, from, to]: LuaValue[]): LuaValue[] {
  const text = textOf(value);
  const start = numberOf(from) ?? 1;
  const end = numberOf(to) ?? -1;
  const first = start < 0 ? Math.max(0, text.length + start) : Math.max(0, start - 1);
  const last = end < 0 ? text.length + end + 1 : end;
  return [text.slice(first, Math.max(first, last))];
}

/** `%d`, `%i`, `%s`, `%f`, `%g`, `%x` with width and precision. */
function format([pattern, ...args]: LuaValue[], line: number): LuaValue[] {
  const values = args.values();
  const text = textOf(pattern).replaceAll(
    /%(-?)(0?)(\d*)(?:\.(\d+))?([a-zA-Z%])/g,
    (
      all,
      left: string,
      zero: string,
      width: string,
      precision: string | undefined,
      kind: string,
    ) => {
      if (kind === '%') return '%';
      const value = values.next().value;
      const digits = precision === undefined ? undefined : Number(precision);
      const piece =
        formatOne(kind, value, digits) ?? failAt(line, `invalid option '${all}' to 'format'`);
      const size = Number(width);
      return left ? piece.padEnd(size) : piece.padStart(size, zero || ' ');
    },
  );
  return [text];
}

function formatOne(kind: string, value: LuaValue, digits?: number): string | undefined {
  const number = numberOf(value) ?? Number.NaN;
  if (kind === 's') return textOf(value).slice(0, digits);
  if (Number.isNaN(number)) return undefined;
  if (kind === 'd' || kind === 'i') return String(Math.trunc(number));
  if (kind === 'f') return number.toFixed(digits ?? 6);
  if (kind === 'g') return formatNumber(number, digits ?? 6);
  return kind === 'x' ? Math.trunc(number).toString(16) : undefined;
}

/** `string.find` without patterns, which would be a second language to implement. */
function find([value, wanted, from, plain]: LuaValue[], line: number): LuaValue[] {
  const needle = textOf(wanted);
  if (plain !== true && /[\^$()%.[\]*+\-?]/.test(needle))
    failAt(line, "the built-in store's Lua has no patterns, install redis-server for them");
  const at = textOf(value).indexOf(needle, (numberOf(from) ?? 1) - 1);
  return at < 0 ? [undefined] : [at + 1, at + needle.length];
}

const missing =
  (name: string) =>
  (_: LuaValue[], line: number): never =>
    failAt(line, `the built-in store's Lua has no string.${name}, install redis-server for it`);

export const stringLibrary = LuaTable.named({
  len: ([value]) => [textOf(value).length],
  lower: ([value]) => [textOf(value).replaceAll(/[A-Z]/g, (c) => c.toLowerCase())],
  upper: ([value]) => [textOf(value).replaceAll(/[a-z]/g, (c) => c.toUpperCase())],
  rep: ([value, times]) => [textOf(value).repeat(Math.min(1e6, Math.max(0, numberOf(times) ?? 0)))],
  reverse: ([value]) => [textOf(value).split('').toReversed().join('')],
  byte: ([value, at]) => {
    const code = textOf(value).charCodeAt((numberOf(at) ?? 1) - 1);
    return [Number.isNaN(code) ? undefined : code];
  },
  char: (codes) => [String.fromCharCode(...codes.map((code) => numberOf(code) ?? 0))],
  sub,
  format,
  find,
  gsub: missing('gsub'),
  gmatch: missing('gmatch'),
  match: missing('match'),
});
