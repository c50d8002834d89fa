import { LuaSyntaxError, type Token } from './lexer.ts';

/** Walks over tokens. */
export class Cursor {
  #tokens: Token[];
  #at = 0;

  constructor(tokens: Token[]) {
    this.#tokens = tokens;
  }

  get current(): Token {
    const token = this.#tokens[Math.min(this.#at, this.#tokens.length - 1)];
    if (!token) throw new LuaSyntaxError(1, 'empty token list');
    return token;
  }

  next(): Token {
    const token = this.current;
    this.#at += 1;
    return token;
  }

  /** Whether the current token is this keyword or symbol (a string of that text is not). */
  is(...texts: string[]): boolean {
    const { kind, text } = this.current;
    return (kind === 'keyword' || kind === 'symbol') && texts.includes(text);
  }

  take(text: string): boolean {
    if (!this.is(text)) return false;
    this.#at += 1;
    return true;
  }

  expect(text: string): void {
    if (!this.take(text)) this.fail(`'${text}' expected`);
  }

  name(): string {
    if (this.current.kind !== 'name') this.fail("'<name>' expected");
    return this.next().text;
  }

  fail(problem: string): never {
    throw new LuaSyntaxError(this.current.line, `${problem} near '${this.current.text}'`);
  }
}
