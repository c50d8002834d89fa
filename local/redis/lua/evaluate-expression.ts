import type { Block, Expression } from './ast.ts';
import { failAt, operate, operateUnary } from './operators.ts';
import { type Budget, Scope } from './scope.ts';
import { isTrue, type LuaFunction, LuaTable, type LuaValue, typeOf } from './values.ts';

const MAX_CALLS = 150;

/** Works out expressions; `runBody` runs the bodies of functions. */
export class ExpressionEvaluator {
  #globals: Map<string, LuaValue>;
  #budget: Budget;
  #runBody: (body: Block, scope: Scope) => LuaValue[];
  #calls = 0;

  constructor(
    globals: Map<string, LuaValue>,
    budget: Budget,
    runBody: (body: Block, scope: Scope) => LuaValue[],
  ) {
    this.#globals = globals;
    this.#budget = budget;
    this.#runBody = runBody;
  }

  /** Several expressions; a call at the end gives all its values. */
  list(expressions: Expression[], scope: Scope): LuaValue[] {
    const last = expressions.at(-1);
    const before = expressions.slice(0, -1).map((one) => this.value(one, scope));
    return last ? [...before, ...this.values(last, scope)] : [];
  }

  values(expression: Expression, scope: Scope): LuaValue[] {
    if (expression.kind === 'call') {
      const callee = this.value(expression.callee, scope);
      return this.call(callee, this.list(expression.args, scope), expression.line);
    }
    if (expression.kind === 'method') {
      const object = this.value(expression.object, scope);
      const args = this.list(expression.args, scope);
      const holder = typeof object === 'string' ? this.#globals.get('string') : object;
      const method = this.#index(holder, expression.name, expression.line);
      return this.call(method, [object, ...args], expression.line);
    }
    return [this.value(expression, scope)];
  }

  call(callee: LuaValue, args: LuaValue[], line: number): LuaValue[] {
    this.#budget.step();
    if (typeof callee !== 'function')
      return failAt(line, `attempt to call a ${typeOf(callee)} value`);
    if (this.#calls >= MAX_CALLS) return failAt(line, 'stack overflow');
    this.#calls += 1;
    try {
      return callee(args, line);
    } finally {
      this.#calls -= 1;
    }
  }

  #index(object: LuaValue, key: LuaValue, line: number): LuaValue {
    if (object instanceof LuaTable) return object.get(key);
    return failAt(line, `attempt to index a ${typeOf(object)} value`);
  }

  value(expression: Expression, scope: Scope): LuaValue {
    switch (expression.kind) {
      case 'constant':
        return expression.value;
      case 'name':
        return this.#name(expression.name, scope, expression.line);
      case 'index': {
        const object = this.value(expression.object, scope);
        return this.#index(object, this.value(expression.key, scope), expression.line);
      }
      case 'call':
      case 'method':
        return this.values(expression, scope)[0];
      case 'single':
        return this.value(expression.inner, scope);
      case 'function':
        return this.#closure(expression.params, expression.body, scope);
      case 'and': {
        const left = this.value(expression.left, scope);
        return isTrue(left) ? this.value(expression.right, scope) : left;
      }
      case 'or': {
        const left = this.value(expression.left, scope);
        return isTrue(left) ? left : this.value(expression.right, scope);
      }
      case 'binary': {
        const left = this.value(expression.left, scope);
        return operate(expression.op, left, this.value(expression.right, scope), expression.line);
      }
      case 'unary': {
        const value = this.value(expression.operand, scope);
        if (expression.op === 'not') return !isTrue(value);
        return operateUnary(expression.op === '-' ? '-' : '#', value, expression.line);
      }
      default:
        return this.#table(expression.items, scope, expression.line);
    }
  }

  #name(name: string, scope: Scope, line: number): LuaValue {
    const holder = scope.holder(name);
    if (holder) return holder.get(name);
    if (this.#globals.has(name)) return this.#globals.get(name);
    return failAt(line, `Script attempted to access nonexistent global variable '${name}'`);
  }

  #closure(params: string[], body: Block, scope: Scope): LuaFunction {
    return (args) => {
      const inner = new Scope(scope);
      for (const [index, param] of params.entries()) inner.declare(param, args[index]);
      return this.#runBody(body, inner);
    };
  }

  #table(
    items: { key?: Expression | undefined; value: Expression }[],
    scope: Scope,
    line: number,
  ): LuaTable {
    const table = new LuaTable();
    let next = 1;
    for (const [index, { key, value }] of items.entries()) {
      if (key) {
        const at = this.value(key, scope);
        if (at === undefined) failAt(line, 'table index is nil');
        table.set(at, this.value(value, scope));
        continue;
      }
      const isLast = index === items.length - 1;
      const values = isLast ? this.values(value, scope) : [this.value(value, scope)];
      for (const one of values) table.set(next++, one);
    }
    return table;
  }
}
