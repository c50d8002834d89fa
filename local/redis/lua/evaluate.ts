import type { Block, Expression, Statement } from './ast.ts';
import { ExpressionEvaluator } from './evaluate-expression.ts';
import { failAt } from './operators.ts';
import { Budget, Scope } from './scope.ts';
import { isTrue, LuaTable, type LuaValue, numberOf, typeOf } from './values.ts';

/** How a block ended, if not by running through. */
type Ending = 'break' | { values: LuaValue[] } | undefined;

/** Runs one script with its globals. */
export class Evaluator {
  #budget = new Budget();
  #expressions: ExpressionEvaluator;

  constructor(globals: Map<string, LuaValue>) {
    this.#expressions = new ExpressionEvaluator(globals, this.#budget, (body, scope) =>
      this.#values(body, scope),
    );
  }

  /** The first value that the script returns. Throws `LuaError`. */
  run(script: Block): LuaValue {
    return this.#values(script, new Scope())[0];
  }

  #values(block: Block, scope: Scope): LuaValue[] {
    const ending = this.#block(block, scope);
    return typeof ending === 'object' ? ending.values : [];
  }

  #block(block: Block, scope: Scope): Ending {
    for (const statement of block) {
      this.#budget.step();
      const ending = this.#statement(statement, scope);
      if (ending) return ending;
    }
    return undefined;
  }

  #statement(statement: Statement, scope: Scope): Ending {
    switch (statement.kind) {
      case 'local': {
        const values = this.#expressions.list(statement.values, scope);
        for (const [index, name] of statement.names.entries()) scope.declare(name, values[index]);
        return undefined;
      }
      case 'local-function':
        scope.declare(statement.name, undefined);
        scope.declare(statement.name, this.#expressions.value(statement.value, scope));
        return undefined;
      case 'assign': {
        const values = this.#expressions.list(statement.values, scope);
        for (const [index, target] of statement.targets.entries())
          this.#assign(target, values[index], scope, statement.line);
        return undefined;
      }
      case 'call':
        this.#expressions.values(statement.call, scope);
        return undefined;
      case 'if': {
        const arm = statement.arms.find(({ test }) => isTrue(this.#expressions.value(test, scope)));
        return this.#block(arm?.body ?? statement.otherwise, new Scope(scope));
      }
      case 'do':
        return this.#block(statement.body, new Scope(scope));
      case 'return':
        return { values: this.#expressions.list(statement.values, scope) };
      case 'break':
        return 'break';
      default:
        return this.#loop(statement, scope);
    }
  }

  #loop(
    loop: Extract<Statement, { kind: 'while' | 'repeat' | 'for' | 'for-in' }>,
    scope: Scope,
  ): Ending {
    for (const inner of this.#rounds(loop, scope)) {
      this.#budget.step();
      const ending = this.#block(loop.body, inner);
      if (ending === 'break') return undefined;
      if (ending) return ending;
    }
    return undefined;
  }

  /** A scope for every round of a loop, with its variables set. */
  *#rounds(
    loop: Extract<Statement, { kind: 'while' | 'repeat' | 'for' | 'for-in' }>,
    scope: Scope,
  ): Generator<Scope> {
    if (loop.kind === 'while') {
      while (isTrue(this.#expressions.value(loop.test, scope))) yield new Scope(scope);
    } else if (loop.kind === 'repeat') {
      // `until` sees the locals of the body, so it is asked in the round's own scope.
      let inner: Scope;
      do {
        inner = new Scope(scope);
        yield inner;
      } while (!isTrue(this.#expressions.value(loop.until, inner)));
    } else if (loop.kind === 'for') {
      const [start = 0, stop = 0, by = 1] = this.#rangeOf(loop.range, scope, loop.line);
      for (let at = start; by > 0 ? at <= stop : at >= stop; at += by) {
        const inner = new Scope(scope);
        inner.declare(loop.name, at);
        yield inner;
      }
    } else {
      const [iterator, state, first] = this.#expressions.list(loop.values, scope);
      for (let control = first; ;) {
        const values = this.#expressions.call(iterator, [state, control], loop.line);
        control = values[0];
        if (control === undefined) return;
        const inner = new Scope(scope);
        for (const [index, name] of loop.names.entries()) inner.declare(name, values[index]);
        yield inner;
      }
    }
  }

  #rangeOf(range: Expression[], scope: Scope, line: number): number[] {
    const names = ['initial', 'limit', 'step'];
    const numbers = range.map((part, index) => {
      const number = numberOf(this.#expressions.value(part, scope));
      return number ?? failAt(line, `'for' ${names[index]} value must be a number`);
    });
    // Lua 5.1 would loop for ever.
    if (numbers[2] === 0) failAt(line, "'for' step is zero");
    return numbers;
  }

  #assign(target: Expression, value: LuaValue, scope: Scope, line: number): void {
    if (target.kind === 'index') {
      const object = this.#expressions.value(target.object, scope);
      const key = this.#expressions.value(target.key, scope);
      if (!(object instanceof LuaTable))
        return failAt(line, `attempt to index a ${typeOf(object)} value`);
      if (key === undefined || Number.isNaN(key)) return failAt(line, 'table index is nil');
      object.set(key, value);
    } else if (target.kind === 'name') {
      const holder = scope.holder(target.name);
      if (!holder) return failAt(line, 'Attempt to modify a readonly table');
      holder.declare(target.name, value);
    }
  }
}
