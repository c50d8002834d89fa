import { failAt } from './operators.ts';
import { stringLibrary } from './strings.ts';
import {
  LuaError,
  type LuaFunction,
  LuaTable,
  type LuaValue,
  numberOf,
  textOf,
  typeOf,
} from './values.ts';

function numberArg(args: LuaValue[], index: number, line: number): number {
  const number = numberOf(args[index]);
  return (
    number ??
    failAt(line, `bad argument #${index + 1} (number expected, got ${typeOf(args[index])})`)
  );
}

export function tableArg(args: LuaValue[], index: number, line: number): LuaTable {
  const value = args[index];
  if (value instanceof LuaTable) return value;
  return failAt(line, `bad argument #${index + 1} (table expected, got ${typeOf(value)})`);
}

const ofOne =
  (calculate: (x: number) => number): LuaFunction =>
  (args, line) => [calculate(numberArg(args, 0, line))];

const ofMany =
  (calculate: (...numbers: number[]) => number): LuaFunction =>
  (args, line) => [
    calculate(
      numberArg(args, 0, line),
      ...args.slice(1).map((_, i) => numberArg(args, i + 1, line)),
    ),
  ];

const math = LuaTable.named({
  floor: ofOne(Math.floor),
  ceil: ofOne(Math.ceil),
  abs: ofOne(Math.abs),
  sqrt: ofOne(Math.sqrt),
  max: ofMany(Math.max),
  min: ofMany(Math.min),
  pow: ofMany((x, y = 0) => x ** y),
  fmod: ofMany((x, y = 0) => x % y),
  huge: Infinity,
  pi: Math.PI,
});

const table = LuaTable.named({
  insert: (args, line) => {
    const list = tableArg(args, 0, line);
    if (args.length < 3) {
      list.set(list.length + 1, args[1]);
      return [];
    }
    const at = numberArg(args, 1, line);
    for (let i = list.length; i >= at; i -= 1) list.set(i + 1, list.get(i));
    list.set(at, args[2]);
    return [];
  },
  remove: (args, line) => {
    const list = tableArg(args, 0, line);
    const size = list.length;
    const at = args[1] === undefined ? size : numberArg(args, 1, line);
    const removed = list.get(at);
    if (size === 0 || at < 1 || at > size) return [removed];
    for (let i = at; i < size; i += 1) list.set(i, list.get(i + 1));
    list.set(size, undefined);
    return [removed];
  },
  concat: (args, line) => {
    const list = tableArg(args, 0, line);
    const parts = Array.from({ length: list.length }, (_, i) => textOf(list.get(i + 1)));
    return [parts.join(args[1] === undefined ? '' : textOf(args[1]))];
  },
});

const digitOf = (char: string) => Number.parseInt(char, 36);

function toNumber([value, base]: LuaValue[]): LuaValue[] {
  const radix = numberOf(base) ?? 10;
  if (radix === 10) return [numberOf(value)];
  const text = textOf(value).trim().toLowerCase();
  const valid = /^[0-9a-z]+$/.test(text) && Math.max(...text.split('').map(digitOf)) < radix;
  return [valid ? Number.parseInt(text, radix) : undefined];
}

const ipairsStep: LuaFunction = ([list, at], line) => {
  const next = Number(at) + 1;
  const value = tableArg([list], 0, line).get(next);
  return value === undefined ? [] : [next, value];
};

const pairs: LuaFunction = (args, line) => {
  const entries = tableArg(args, 0, line).entries().values();
  return [() => entries.next().value ?? []];
};

const next: LuaFunction = (args, line) => {
  const entries = tableArg(args, 0, line).entries();
  const at = args[1] === undefined ? 0 : entries.findIndex(([key]) => key === args[1]) + 1;
  return entries[at] ?? [undefined];
};

function unpack(args: LuaValue[], line: number): LuaValue[] {
  const list = tableArg(args, 0, line);
  const from = args[1] === undefined ? 1 : numberArg(args, 1, line);
  const to = args[2] === undefined ? list.length : numberArg(args, 2, line);
  return Array.from({ length: Math.max(0, to - from + 1) }, (_, i) => list.get(from + i));
}

const protectedCall: LuaFunction = ([callee, ...args], line) => {
  if (typeof callee !== 'function') return [false, `attempt to call a ${typeOf(callee)} value`];
  try {
    return [true, ...callee(args, line)];
  } catch (error) {
    if (error instanceof LuaError) return [false, error.value];
    throw error;
  }
};

/** Lua's own globals: the part of them that scripts for Redis use. */
export const libraryGlobals = (): [string, LuaValue][] => [
  ['math', math],
  ['table', table],
  ['string', stringLibrary],
  ['tonumber', toNumber],
  ['tostring', ([value]) => [textOf(value)]],
  ['type', ([value]) => [typeOf(value)]],
  ['unpack', unpack],
  ['next', next],
  ['ipairs', (args, line) => [ipairsStep, tableArg(args, 0, line), 0]],
  ['pairs', pairs],
  ['pcall', protectedCall],
  [
    'error',
    ([value], line) => {
      throw new LuaError(typeof value === 'string' ? `user_script:${line}: ${value}` : value, line);
    },
  ],
];
