import type { Block, Expression } from './ast.ts';
import type { Cursor } from './cursor.ts';
import { numberOf } from './values.ts';

/** Left and right binding power; the right one is lower where an operator groups to the right. */
const binary: Record<string, [number, number]> = {
  or: [1, 1],
  and: [2, 2],
  '<': [3, 3],
  '>': [3, 3],
  '<=': [3, 3],
  '>=': [3, 3],
  '~=': [3, 3],
  '==': [3, 3],
  '..': [5, 4],
  '+': [6, 6],
  '-': [6, 6],
  '*': [7, 7],
  '/': [7, 7],
  '%': [7, 7],
  '^': [10, 9],
};
const UNARY_POWER = 8;
const MAX_DEPTH = 200;

/** Reads expressions; needs the statement parser for the bodies of functions. */
export class ExpressionParser {
  #cursor: Cursor;
  #body: () => Block;
  #depth = 0;

  constructor(cursor: Cursor, body: () => Block) {
    this.#cursor = cursor;
    this.#body = body;
  }

  list(): Expression[] {
    const all = [this.expression()];
    while (this.#cursor.take(',')) all.push(this.expression());
    return all;
  }

  expression(minPower = 0): Expression {
    this.#depth += 1;
    if (this.#depth > MAX_DEPTH) this.#cursor.fail('chunk has too many syntax levels');
    let left = this.#unary();
    for (;;) {
      const { text: op, line, kind } = this.#cursor.current;
      const power = kind === 'symbol' || kind === 'keyword' ? binary[op] : undefined;
      if (!power || power[0] <= minPower) break;
      this.#cursor.next();
      const right = this.expression(power[1]);
      left =
        op === 'and' || op === 'or'
          ? { kind: op, left, right }
          : { kind: 'binary', op, left, right, line };
    }
    this.#depth -= 1;
    return left;
  }

  #unary(): Expression {
    if (!this.#cursor.is('not', '-', '#')) return this.#simple();
    const { text: op, line } = this.#cursor.next();
    return { kind: 'unary', op, operand: this.expression(UNARY_POWER), line };
  }

  #simple(): Expression {
    const { kind, text } = this.#cursor.current;
    if (kind === 'number' || kind === 'string') {
      this.#cursor.next();
      return { kind: 'constant', value: kind === 'number' ? numberOf(text) : text };
    }
    if (this.#cursor.take('nil')) return { kind: 'constant', value: undefined };
    if (this.#cursor.take('true')) return { kind: 'constant', value: true };
    if (this.#cursor.take('false')) return { kind: 'constant', value: false };
    if (this.#cursor.is('...')) this.#unsupported("'...'");
    if (this.#cursor.is('{')) return this.#table();
    if (this.#cursor.take('function')) return this.functionBody();
    return this.suffixed();
  }

  #unsupported(what: string): never {
    return this.#cursor.fail(
      `${what} is not supported by the built-in store's Lua, install redis-server for all of it,`,
    );
  }

  /** A name or a parenthesis, and whatever indexes and calls follow it. */
  suffixed(): Expression {
    const { line } = this.#cursor.current;
    let left: Expression;
    if (this.#cursor.take('(')) {
      left = { kind: 'single', inner: this.expression() };
      this.#cursor.expect(')');
    } else if (this.#cursor.current.kind === 'name')
      left = { kind: 'name', name: this.#cursor.name(), line };
    else return this.#cursor.fail('unexpected symbol');
    for (;;) {
      const next = this.#suffix(left);
      if (!next) return left;
      left = next;
    }
  }

  #suffix(object: Expression): Expression | undefined {
    const { kind, line } = this.#cursor.current;
    if (this.#cursor.take('.'))
      return { kind: 'index', object, key: { kind: 'constant', value: this.#cursor.name() }, line };
    if (this.#cursor.take('[')) {
      const key = this.expression();
      this.#cursor.expect(']');
      return { kind: 'index', object, key, line };
    }
    if (this.#cursor.take(':')) {
      const name = this.#cursor.name();
      return { kind: 'method', object, name, args: this.#args(), line };
    }
    if (kind === 'string' || this.#cursor.is('(', '{'))
      return { kind: 'call', callee: object, args: this.#args(), line };
    return undefined;
  }

  #args(): Expression[] {
    if (this.#cursor.current.kind === 'string' || this.#cursor.is('{')) return [this.#simple()];
    this.#cursor.expect('(');
    if (this.#cursor.take(')')) return [];
    const args = this.list();
    this.#cursor.expect(')');
    return args;
  }

  /** From the parameters to `end`. */
  functionBody(): Expression {
    this.#cursor.expect('(');
    const params: string[] = [];
    while (!this.#cursor.is(')')) {
      if (this.#cursor.is('...')) this.#unsupported("'...'");
      params.push(this.#cursor.name());
      if (!this.#cursor.take(',')) break;
    }
    this.#cursor.expect(')');
    const body = this.#body();
    this.#cursor.expect('end');
    return { kind: 'function', params, body };
  }

  #table(): Expression {
    const { line } = this.#cursor.next();
    const items: { key?: Expression | undefined; value: Expression }[] = [];
    while (!this.#cursor.is('}')) {
      items.push(this.#item());
      if (!this.#cursor.take(',') && !this.#cursor.take(';')) break;
    }
    this.#cursor.expect('}');
    return { kind: 'table', items, line };
  }

  #item(): { key?: Expression | undefined; value: Expression } {
    if (this.#cursor.take('[')) {
      const key = this.expression();
      this.#cursor.expect(']');
      this.#cursor.expect('=');
      return { key, value: this.expression() };
    }
    const value = this.expression();
    if (value.kind === 'name' && this.#cursor.take('='))
      return { key: { kind: 'constant', value: value.name }, value: this.expression() };
    return { value };
  }
}
