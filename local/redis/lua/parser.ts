import type { Block, Expression, Statement } from './ast.ts';
import { Cursor } from './cursor.ts';
import { ExpressionParser } from './expressions.ts';
import { tokenize } from './lexer.ts';

const MAX_DEPTH = 100;

class StatementParser {
  #cursor: Cursor;
  #expressions: ExpressionParser;
  #depth = 0;

  constructor(source: string) {
    this.#cursor = new Cursor(tokenize(source));
    this.#expressions = new ExpressionParser(this.#cursor, () => this.#block());
  }

  script(): Block {
    const block = this.#block();
    if (this.#cursor.current.kind !== 'end') this.#cursor.fail("'<eof>' expected");
    return block;
  }

  #block(): Block {
    this.#depth += 1;
    if (this.#depth > MAX_DEPTH) this.#cursor.fail('chunk has too many syntax levels');
    const block: Block = [];
    while (
      this.#cursor.current.kind !== 'end' &&
      !this.#cursor.is('end', 'else', 'elseif', 'until')
    ) {
      const statement = this.#statement();
      this.#cursor.take(';');
      block.push(statement);
      // Lua wants these two last in their block.
      if (statement.kind === 'return' || statement.kind === 'break') break;
    }
    this.#depth -= 1;
    return block;
  }

  #statement(): Statement {
    if (this.#cursor.take('local')) return this.#local();
    if (this.#cursor.take('if')) return this.#if();
    if (this.#cursor.take('for')) return this.#for();
    if (this.#cursor.take('while')) {
      const test = this.#expressions.expression();
      return { kind: 'while', test, body: this.#doBlock() };
    }
    if (this.#cursor.take('repeat')) {
      const body = this.#block();
      this.#cursor.expect('until');
      return { kind: 'repeat', body, until: this.#expressions.expression() };
    }
    if (this.#cursor.is('do')) return { kind: 'do', body: this.#doBlock() };
    if (this.#cursor.take('break')) return { kind: 'break' };
    if (this.#cursor.take('return')) return this.#return();
    if (this.#cursor.take('function')) return this.#function();
    return this.#callOrAssignment();
  }

  #doBlock(): Block {
    this.#cursor.expect('do');
    const body = this.#block();
    this.#cursor.expect('end');
    return body;
  }

  #local(): Statement {
    if (this.#cursor.take('function')) {
      const name = this.#cursor.name();
      return { kind: 'local-function', name, value: this.#expressions.functionBody() };
    }
    const names = this.#names();
    const values = this.#cursor.take('=') ? this.#expressions.list() : [];
    return { kind: 'local', names, values };
  }

  #names(): string[] {
    const names = [this.#cursor.name()];
    while (this.#cursor.take(',')) names.push(this.#cursor.name());
    return names;
  }

  #if(): Statement {
    const arms = [];
    do {
      const test = this.#expressions.expression();
      this.#cursor.expect('then');
      arms.push({ test, body: this.#block() });
    } while (this.#cursor.take('elseif'));
    const otherwise = this.#cursor.take('else') ? this.#block() : [];
    this.#cursor.expect('end');
    return { kind: 'if', arms, otherwise };
  }

  #for(): Statement {
    const { line } = this.#cursor.current;
    const names = this.#names();
    if (names.length === 1 && this.#cursor.take('=')) {
      const range = this.#expressions.list();
      if (range.length < 2) this.#cursor.fail("',' expected");
      if (range.length > 3) this.#cursor.fail("'do' expected");
      return { kind: 'for', name: names[0] ?? '', range, body: this.#doBlock(), line };
    }
    this.#cursor.expect('in');
    const values = this.#expressions.list();
    return { kind: 'for-in', names, values, body: this.#doBlock(), line };
  }

  #return(): Statement {
    const ends =
      this.#cursor.current.kind === 'end' || this.#cursor.is('end', 'else', 'elseif', 'until', ';');
    return { kind: 'return', values: ends ? [] : this.#expressions.list() };
  }

  /** `function f() … end` assigns: to a local of that name, or to a global, which Redis refuses. */
  #function(): Statement {
    const { line } = this.#cursor.current;
    const target: Expression = { kind: 'name', name: this.#cursor.name(), line };
    const values = [this.#expressions.functionBody()];
    return { kind: 'assign', targets: [target], values, line };
  }

  #callOrAssignment(): Statement {
    const { line } = this.#cursor.current;
    const first = this.#expressions.suffixed();
    if (!this.#cursor.is('=', ',')) {
      if (first.kind === 'call' || first.kind === 'method') return { kind: 'call', call: first };
      return this.#cursor.fail("'=' expected");
    }
    const targets = [first];
    while (this.#cursor.take(',')) targets.push(this.#expressions.suffixed());
    if (targets.some(({ kind }) => kind !== 'name' && kind !== 'index'))
      this.#cursor.fail('cannot assign to this');
    this.#cursor.expect('=');
    return { kind: 'assign', targets, values: this.#expressions.list(), line };
  }
}

/** Reads a script into a tree; throws `LuaSyntaxError` for what is wrong or not supported. */
export const parse = (source: string): Block => new StatementParser(source).script();
