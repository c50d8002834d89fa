import { Refusal } from './problem.ts';

/** A compiled `Upstash-Retry-Delay`: milliseconds to wait, given how often the message was retried. */
export type RetryDelay = { source: string; evaluate: (retried: number) => number };

type Node = (retried: number) => number;
type Operators = Record<string, (a: number, b: number) => number>;

// https://upstash.com/docs/qstash/features/retry#custom-retry-delay names these and no operators
// but + - * /; `^` and `%` are not documented and therefore refused.
const functions: Record<string, (...args: number[]) => number> = {
  pow: Math.pow,
  sqrt: Math.sqrt,
  abs: Math.abs,
  exp: Math.exp,
  floor: Math.floor,
  ceil: Math.ceil,
  round: Math.round,
  min: Math.min,
  max: Math.max,
};
const sums: Operators = { '+': (a, b) => a + b, '-': (a, b) => a - b };
const products: Operators = { '*': (a, b) => a * b, '/': (a, b) => a / b };

class Parser {
  #tokens: string[];

  constructor(tokens: string[]) {
    this.#tokens = tokens;
  }

  whole(): Node {
    const node = this.#sum();
    if (this.#tokens.length > 0) throw new SyntaxError(`unexpected "${this.#tokens[0]}"`);
    return node;
  }

  #take(...wanted: string[]): string | undefined {
    const [token] = this.#tokens;
    return token !== undefined && wanted.includes(token) ? this.#tokens.shift() : undefined;
  }

  #expect(wanted: string): void {
    if (!this.#take(wanted)) throw new SyntaxError(`expected "${wanted}"`);
  }

  #chain(next: () => Node, operators: Operators): Node {
    let left = next();
    for (;;) {
      const operate = operators[this.#take(...Object.keys(operators)) ?? ''];
      if (!operate) return left;
      const [a, b] = [left, next()];
      left = (n) => operate(a(n), b(n));
    }
  }

  #sum = (): Node => this.#chain(this.#product, sums);

  #product = (): Node => this.#chain(this.#unary, products);

  #unary = (): Node => {
    if (!this.#take('-')) return this.#atom();
    const operand = this.#unary();
    return (n) => -operand(n);
  };

  #atom(): Node {
    const token = this.#tokens.shift();
    if (token === undefined) throw new SyntaxError('unexpected end');
    if (/^\.?\d/.test(token)) return () => Number(token);
    if (token === 'retried') return (n) => n;
    if (token !== '(') return this.#call(token);
    const inner = this.#sum();
    this.#expect(')');
    return inner;
  }

  #call(name: string): Node {
    const known = Object.hasOwn(functions, name) ? functions[name] : undefined;
    if (!known) throw new SyntaxError(`unknown "${name}"`);
    this.#expect('(');
    const args = [this.#sum()];
    while (this.#take(',')) args.push(this.#sum());
    this.#expect(')');
    if (args.length !== known.length) throw new SyntaxError(`${name} takes ${known.length}`);
    return (n) => known(...args.map((arg) => arg(n)));
  }
}

/** Compiles a retry delay; malformed or not documented → 400. Nothing of it is ever `eval`ed. */
export function compileRetryDelay(source: string): RetryDelay {
  const refuse = (why: string) => new Refusal(400, `invalid retry delay expression: ${why}`);
  if (source.length > 256) throw refuse('longer than 256 characters');
  const tokens = source.match(/\d+(?:\.\d+)?|\.\d+|[a-z_]+|[^\s]/gi) ?? [];
  try {
    return { source, evaluate: new Parser([...tokens]).whole() };
  } catch (error) {
    throw refuse(error instanceof Error ? error.message : String(error));
  }
}
