import type { LuaValue } from './values.ts';

export type Expression =
  | { kind: 'constant'; value: LuaValue }
  | { kind: 'name'; name: string; line: number }
  | { kind: 'index'; object: Expression; key: Expression; line: number }
  | { kind: 'call'; callee: Expression; args: Expression[]; line: number }
  | { kind: 'method'; object: Expression; name: string; args: Expression[]; line: number }
  | { kind: 'function'; params: string[]; body: Block }
  | { kind: 'and' | 'or'; left: Expression; right: Expression }
  | { kind: 'binary'; op: string; left: Expression; right: Expression; line: number }
  | { kind: 'unary'; op: string; operand: Expression; line: number }
  | { kind: 'table'; items: { key?: Expression | undefined; value: Expression }[]; line: number }
  /** `(f())`: cuts several values to one. */
  | { kind: 'single'; inner: Expression };

export type Statement =
  | { kind: 'local'; names: string[]; values: Expression[] }
  | { kind: 'local-function'; name: string; value: Expression }
  | { kind: 'assign'; targets: Expression[]; values: Expression[]; line: number }
  | { kind: 'call'; call: Expression }
  | { kind: 'if'; arms: { test: Expression; body: Block }[]; otherwise: Block }
  | { kind: 'while'; test: Expression; body: Block }
  | { kind: 'repeat'; body: Block; until: Expression }
  | { kind: 'for'; name: string; range: Expression[]; body: Block; line: number }
  | { kind: 'for-in'; names: string[]; values: Expression[]; body: Block; line: number }
  | { kind: 'do'; body: Block }
  | { kind: 'return'; values: Expression[] }
  | { kind: 'break' };

export type Block = Statement[];
