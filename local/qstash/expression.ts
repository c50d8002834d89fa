import { Refusal } from './problem.ts';

/** A compiled `Upstash-Retry-Delay`: milliseconds to wait, given how often the message was retried. */
export type RetryDelay = { source: string; evaluate: (retried: number) => number };

type Node = (retried: number) => number;

// https://upstash.com/docs/qstash/features/retry#custom-retry-delay names these and no operators
// but + - * /; `^` and `%` are not documented and therefore refused.
const functions: Record<string, { arity: number; call: (...args: number[]) => number }> = {
  pow: { arity: 2, call: Math.pow },
  sqrt: { arity: 1, call: Math.sqrt },
  abs: { arity: 1, call: Math.abs },
  exp: { arity: 1, call: Math.exp },
  floor: { arity: 1, call: Math.floor },
  ceil: { arity: 1, call: Math.ceil },
  round: { arity: 1, call: Math.round },
  min: { arity: 2, call: Math.min },
  max: { arity: 2, call: Math.max },
};

class Parser {
  #tokens: string[];
  #at = 0;

  constructor(tokens: string[]) {
    this.#tokens = tokens;
  }

  whole(): Node {
    const node = this.#sum();
    if (this.#at < this.#tokens.length) throw new SyntaxError(`unexpected "${this.#peek()}"`);
    return node;
  }

  #peek = (): string | undefined => this.#tokens[this.#at];

  #take(...wanted: string[]): string | undefined {
    const token = this.#peek();
    if (token === undefined || !wanted.includes(token)) return undefined;
    this.#at += 1;
    return token;
  }

  #expect(wanted: string): void {
    if (!this.#take(wanted)) throw new SyntaxError(`expected "${wanted}"`);
  }

  #sum(): Node {
    let left = this.#product();
    for (let sign = this.#take('+', '-'); sign; sign = this.#take('+', '-')) {
      const [a, b] = [left, this.#product()];
      left = sign === '+' ? (n) => a(n) + b(n) : (n) => a(n) - b(n);
    }
    return left;
  }

  #product(): Node {
    let left = this.#unary();
    for (let sign = this.#take('*', '/'); sign; sign = this.#take('*', '/')) {
      const [a, b] = [left, this.#unary()];
      left = sign === '*' ? (n) => a(n) * b(n) : (n) => a(n) / b(n);
    }
    return left;
  }

  #unary(): Node {
    if (!this.#take('-')) return this.#primary();
    const inner = this.#unary();
    return (n) => -inner(n);
  }

  #primary(): Node {
    const token = this.#peek();
    if (token === undefined) throw new SyntaxError('unexpected end');
    this.#at += 1;
    if (/^\.?\d/.test(token)) {
      const value = Number(token);
      return () => value;
    }
    if (token === 'retried') return (n) => n;
    if (token === '(') {
      const inner = this.#sum();
      this.#expect(')');
      return inner;
    }
    return this.#call(token);
  }

  #call(name: string): Node {
    const known = Object.hasOwn(functions, name) ? functions[name] : undefined;
    if (!known) throw new SyntaxError(`unknown "${name}"`);
    this.#expect('(');
    const args = [this.#sum()];
    while (this.#take(',')) args.push(this.#sum());
    this.#expect(')');
    if (args.length !== known.arity) throw new SyntaxError(`${name} takes ${known.arity}`);
    return (n) => known.call(...args.map((arg) => arg(n)));
  }
}

/** Compiles a retry delay; malformed or not documented → 400. Nothing of it is ever `eval`ed. */
export function compileRetryDelay(source: string): RetryDelay {
  const refuse = (why: string) => new Refusal(400, `invalid retry delay expression: ${why}`);
  if (source.length > 256) throw refuse('longer than 256 characters');
  const tokens = source.match(/\d+(?:\.\d+)?|\.\d+|[a-z_]+|[^\s]/gi) ?? [];
  try {
    return { source, evaluate: new Parser(tokens).whole() };
  } catch (error) {
    throw refuse(error instanceof Error ? error.message : String(error));
  }
}
