import { LuaError, LuaTable, type LuaValue, numberOf, textOf, typeOf } from './values.ts';

/** A runtime error with its place, as Lua words it. */
export const failAt = (line: number, problem: string): never => {
  throw new LuaError(`user_script:${line}: ${problem}`, line);
};

const arithmetic: Record<string, (a: number, b: number) => number> = {
  '+': (a, b) => a + b,
  '-': (a, b) => a - b,
  '*': (a, b) => a * b,
  '/': (a, b) => a / b,
  // The sign of the divisor, as in Lua, not of the dividend, as in JavaScript.
  '%': (a, b) => a - Math.floor(a / b) * b,
  '^': (a, b) => a ** b,
};

function compare(op: string, a: LuaValue, b: LuaValue, line: number): boolean {
  const numbers = typeof a === 'number' && typeof b === 'number';
  const strings = typeof a === 'string' && typeof b === 'string';
  if (!numbers && !strings) {
    const [x, y] = [typeOf(a), typeOf(b)];
    const what = x === y ? `two ${x} values` : `${x} with ${y}`;
    return failAt(line, `attempt to compare ${what}`);
  }
  if (op === '<') return a < b;
  if (op === '>') return a > b;
  return op === '<=' ? a <= b : a >= b;
}

function concat(a: LuaValue, b: LuaValue, line: number): string {
  for (const side of [a, b])
    if (typeof side !== 'string' && typeof side !== 'number')
      return failAt(line, `attempt to concatenate a ${typeOf(side)} value`);
  return textOf(a) + textOf(b);
}

/** A binary operator other than `and` and `or`. */
export function operate(op: string, a: LuaValue, b: LuaValue, line: number): LuaValue {
  if (op === '==') return a === b;
  if (op === '~=') return a !== b;
  if (op === '..') return concat(a, b, line);
  const calculate = arithmetic[op];
  if (!calculate) return compare(op, a, b, line);
  const [x, y] = [numberOf(a), numberOf(b)];
  if (x === undefined || y === undefined) {
    const culprit = x === undefined ? a : b;
    return failAt(line, `attempt to perform arithmetic on a ${typeOf(culprit)} value`);
  }
  return calculate(x, y);
}

/** `-x` and `#x`. */
export function operateUnary(op: '-' | '#', value: LuaValue, line: number): number {
  if (op === '-') {
    const number = numberOf(value);
    if (number !== undefined) return -number;
    return failAt(line, `attempt to perform arithmetic on a ${typeOf(value)} value`);
  }
  if (typeof value === 'string' || value instanceof LuaTable) return value.length;
  return failAt(line, `attempt to get length of a ${typeOf(value)} value`);
}
